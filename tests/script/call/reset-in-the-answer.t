# A reset behind the response headers ends the call with trailers.
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
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=half
c expects HEADERS stream=1 open
c expects DATA stream=1 message=half
e sends RST_STREAM stream=1 code=INTERNAL_ERROR
c expects HEADERS stream=1 end grpc-status=13 !:status grpc-message~127.0.0.1:9001
