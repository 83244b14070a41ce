# A sidecar that is overloaded says when to come again: with nobody else to go to the call waits for that.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { dns: payment.shop } }
end
endpoint e listens on 127.0.0.1:9001 tls as payment
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=8 outrigger-unprocessed=1 grpc-retry-pushback-ms=100 end
advance 99ms
e expects nothing
e expects HEADERS stream=3 within 4ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
