# A rule holds for the methods that it names: one, a whole service, or all; rules do not lend each other conditions.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow:
      - { identity: "spiffe://shop.example/ns/shop/sa/order", methods: [ "a.B/C", "a.Whole/*" ] }
      - { identity: "spiffe://shop.example/ns/shop/sa/payment", methods: "*" }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/a.B/D end
c expects HEADERS stream=3 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
c sends HEADERS stream=5 call=/a.B/CC end
c expects HEADERS stream=5 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
c sends HEADERS stream=7 call=/a.Whole/X end
e expects HEADERS stream=3 :path=/a.Whole/X end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c sends HEADERS stream=9 call=/a.Whole2/X end
c expects HEADERS stream=9 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
client d connects to 127.0.0.1:8443 tls as payment
d sends HEADERS stream=1 call=/a.B/D end
e expects HEADERS stream=5 :path=/a.B/D end
e sends HEADERS stream=5 answer grpc-status=0 end
d expects HEADERS stream=1 end grpc-status=0
e expects nothing
