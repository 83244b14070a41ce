# A star stands for one segment of the path of an identity, no more and no less.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow:
      - { identity: "spiffe://shop.example/ns/*/sa/order" }
      - { identity: "spiffe://shop.example/ns/*" }
      - { identity: "spiffe://shop.example/ns/shop/sa/payment/*" }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
client d connects to 127.0.0.1:8443 tls as payment
d sends HEADERS stream=1 call=/a.B/C end
d expects HEADERS stream=1 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
e expects nothing
