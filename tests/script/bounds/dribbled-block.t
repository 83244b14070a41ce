# One CONTINUATION frame that comes byte by byte is one frame, and answered.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge more end
c sends RAW hex=00
advance 10ms
c sends RAW hex=00
advance 10ms
c sends RAW hex=42
advance 10ms
c sends RAW hex=09
advance 10ms
c sends RAW hex=04
advance 10ms
c sends RAW hex=00
advance 10ms
c sends RAW hex=00
advance 10ms
c sends RAW hex=00
advance 10ms
c sends RAW hex=01
advance 10ms
c sends RAW hex=00
advance 10ms
c sends RAW hex=03
advance 10ms
c sends RAW hex=78
advance 10ms
c sends RAW hex=2d
advance 10ms
c sends RAW hex=61
advance 10ms
c sends RAW hex=3c
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
c sends RAW hex=76
advance 10ms
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
