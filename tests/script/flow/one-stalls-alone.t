# A stream whose reader stalls does not hold up another one of the same connections.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=0
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=1000
c expects HEADERS stream=1
c expects nothing
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer
e sends DATA stream=3 message=hi
e sends HEADERS stream=3 grpc-status=0 end
c expects HEADERS stream=3
c sends WINDOW_UPDATE stream=3 n=100
c expects DATA stream=3 message=hi
c expects HEADERS stream=3 end grpc-status=0
c sends RST_STREAM stream=1 code=CANCEL
e expects RST_STREAM stream=1 code=CANCEL
