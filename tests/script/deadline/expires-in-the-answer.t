# A deadline that passes in the middle of the answer ends it with trailers.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=250m end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=half
c expects HEADERS stream=1
c expects DATA stream=1 message=half
advance 249ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=4 !:status within 6ms
e expects RST_STREAM stream=1 code=CANCEL
