# A stream on which nothing moves for idle_timeout ends as UNAVAILABLE; bytes in either direction wind it up again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { idle_timeout: 1s }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Watch
e accepts
e expects HEADERS stream=1 open
advance 900ms
c sends DATA stream=1 message=on
e expects DATA stream=1 message=on
advance 900ms
e sends HEADERS stream=1 answer
c expects HEADERS stream=1
advance 900ms
e sends DATA stream=1 message=tick
c expects DATA stream=1 message=tick
advance 999ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=14 grpc-message~"nothing moved" within 6ms
e expects RST_STREAM stream=1 code=CANCEL
c expects RST_STREAM stream=1 code=NO_ERROR
