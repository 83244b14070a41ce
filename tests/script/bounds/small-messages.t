# Whole messages may be as small as they are: one a frame is how honest callers stream.
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
for i = 1 to 2500 step 1: c sends DATA stream=1 message=hi
c expects open
metric outrigger_bound_reached_total{bound=small_data,side=downstream} 0
e forgets
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=ok
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects DATA stream=1 message=ok
c expects HEADERS stream=1 end grpc-status=0
c expects RST_STREAM stream=1 code=NO_ERROR
e forgets
