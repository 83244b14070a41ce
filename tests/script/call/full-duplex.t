# Both sides speak in turn; the answer begins before the request has ended, and the request goes on behind it.
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
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
c expects HEADERS stream=1 open
c sends DATA stream=1 message=ping
e expects DATA stream=1 message=ping
e sends DATA stream=1 message=pong
c expects DATA stream=1 message=pong
c sends DATA stream=1 message=bye end
e expects DATA stream=1 message=bye end
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
