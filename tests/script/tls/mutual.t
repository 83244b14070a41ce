# A call goes out over mTLS to an endpoint that proves to be who it must be.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { identity: "spiffe://shop.example/ns/shop/sa/payment" } }
end
endpoint e listens on 127.0.0.1:9001 tls as payment
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 :scheme=https end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
