# A certificate that has expired by the clock is none.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { identity: "spiffe://shop.example/ns/shop/sa/payment" } }
end
endpoint e listens on 127.0.0.1:9001 tls as brief
client c connects to 127.0.0.1:15001
advance 2m
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=1 end grpc-status=14 grpc-message~expired
e accepts
e expects nothing
