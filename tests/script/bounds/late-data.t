# Data for calls that were cancelled may still be under way, for many at once: an endpoint that sends it has done nothing wrong.
config
version: 1
bounds: { glitches: { burst: 3, per_second: 1 } }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
for i = 1 to 399 step 2: c sends HEADERS stream=$i call=/a.B/C end
e accepts
e expects HEADERS stream=399 end
e forgets
for i = 1 to 399 step 2: e sends HEADERS stream=$i answer
c expects HEADERS stream=399
c forgets
for i = 1 to 399 step 2: c sends RST_STREAM stream=$i code=CANCEL
e expects RST_STREAM stream=399 code=CANCEL
e forgets
for i = 1 to 99 step 2: e sends DATA stream=$i size=100
for i = 1 to 99 step 2: e sends HEADERS stream=$i grpc-status=0 end
advance 1ms
e expects open
e forgets
metric outrigger_bound_reached_total{bound=glitches,side=upstream} 0
c sends HEADERS stream=401 call=/a.B/C end
e expects HEADERS stream=401 end
e sends HEADERS stream=401 answer
e sends HEADERS stream=401 grpc-status=0 end
c expects HEADERS stream=401
c expects HEADERS stream=401 end grpc-status=0
