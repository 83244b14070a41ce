# One byte at a time in both directions changes nothing.
network to 127.0.0.1:15001 splits
network to 127.0.0.1:9001 splits
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
c sends DATA stream=1 size=3000 end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 size=3000 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=5000
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects DATA stream=1 size=5000
c expects HEADERS stream=1 end grpc-status=0
