# An endpoint that pushes loses its connection; its call ends.
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
e sends FRAME type=5 stream=1 hex=0000000282 flags=4
e expects GOAWAY code=PROTOCOL_ERROR
e expects close
c expects HEADERS stream=1 end grpc-status=14
