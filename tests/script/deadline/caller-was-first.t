# A caller whose own timer was first resets its stream; our answer, if any, is no protocol error, and the endpoint is
# cancelled once.
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
advance 249ms
c sends RST_STREAM stream=1 code=CANCEL
e expects RST_STREAM stream=1 code=CANCEL
advance 10ms
e expects nothing
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
