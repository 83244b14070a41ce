# The endpoint ends before the caller has: the answer is delivered whole, then both sides are told with NO_ERROR
# that nobody reads the rest.
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
c sends DATA stream=1 message=part
e expects DATA stream=1 message=part
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=enough
e sends HEADERS stream=1 grpc-status=9 end
c expects HEADERS stream=1
c expects DATA stream=1 message=enough
c expects HEADERS stream=1 end grpc-status=9
c expects RST_STREAM stream=1 code=NO_ERROR
e expects RST_STREAM stream=1 code=NO_ERROR
# what is still on its way is dropped and hurts nobody
c sends DATA stream=1 message=late
e expects nothing
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
