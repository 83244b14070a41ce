# One reset may cross the end of a stream; more of them are glitches.
config
version: 1
bounds: { glitches: { burst: 3, per_second: 1 } }
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8080
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects HEADERS stream=1 end grpc-status=0
for i = 1 to 2 step 1: c sends RST_STREAM stream=1 code=CANCEL
advance 1ms
c expects open
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 0
for i = 1 to 3 step 1: c sends RST_STREAM stream=1 code=CANCEL
c expects GOAWAY last=1 code=NO_ERROR
c expects GOAWAY last=1 code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 2
