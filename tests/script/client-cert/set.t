# The service reads who calls in x-forwarded-client-cert, made from the certificates of the connection; what callers send
# under that name never passes.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001 }
  - { listen: 127.0.0.1:8444, forward: 127.0.0.1:9001, tls: server }
  - { listen: 127.0.0.1:8445, forward: 127.0.0.1:9001, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C x-forwarded-client-cert=URI=spiffe://shop.example/ns/shop/sa/admin end
e accepts
e expects HEADERS stream=1 x-forwarded-client-cert~By=spiffe://shop.example/ns/shop/sa/payment;Hash= x-forwarded-client-cert~;URI=spiffe://shop.example/ns/shop/sa/order end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
client h connects to 127.0.0.1:8443 tls as host
h sends HEADERS stream=1 call=/a.B/C end
e expects HEADERS stream=3 x-forwarded-client-cert~;DNS=a.shop;DNS=b.shop end
e sends HEADERS stream=3 answer grpc-status=0 end
h expects HEADERS stream=1 end grpc-status=0
client s connects to 127.0.0.1:8444 tls as order
s sends HEADERS stream=1 call=/a.B/C x-forwarded-client-cert=URI=spiffe://shop.example/ns/shop/sa/admin end
e accepts as f
f expects HEADERS stream=1 !x-forwarded-client-cert end
f sends HEADERS stream=1 answer grpc-status=0 end
s expects HEADERS stream=1 end grpc-status=0
client p connects to 127.0.0.1:8445
p sends HEADERS stream=1 call=/a.B/C x-forwarded-client-cert=URI=spiffe://shop.example/ns/shop/sa/admin end
e accepts as g
g expects HEADERS stream=1 !x-forwarded-client-cert end
g sends HEADERS stream=1 answer grpc-status=0 end
p expects HEADERS stream=1 end grpc-status=0
