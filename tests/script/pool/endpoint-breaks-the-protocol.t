# An endpoint that breaks HTTP/2 loses its connection; calls on it are UNAVAILABLE, and the next call gets a new one.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends FRAME type=5 stream=1 hex=0000000382
e expects GOAWAY code=PROTOCOL_ERROR
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts as g
g expects HEADERS stream=1 end
