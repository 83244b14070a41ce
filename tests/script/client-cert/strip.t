# With `forward_client_cert: strip` the service reads nothing, neither of us nor of the caller; a reload changes it for open
# connections.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001, forward_client_cert: strip }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C x-forwarded-client-cert=Hash=00 end
e accepts
e expects HEADERS stream=1 !x-forwarded-client-cert end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001, forward_client_cert: set }
end
c sends HEADERS stream=3 call=/a.B/C end
e expects HEADERS stream=3 x-forwarded-client-cert~URI=spiffe://shop.example/ns/shop/sa/order end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001, forward_client_cert: strip }
end
c sends HEADERS stream=5 call=/a.B/C end
e expects HEADERS stream=5 !x-forwarded-client-cert end
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
