# A caller goes away once, or in two steps; more of them are glitches.
config
version: 1
bounds: { glitches: { burst: 4, per_second: 1 } }
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
client c connects to 127.0.0.1:8080
for i = 1 to 3 step 1: c sends GOAWAY last=0 code=NO_ERROR
advance 1ms
c expects open
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 0
for i = 1 to 3 step 1: c sends GOAWAY last=0 code=NO_ERROR
c expects GOAWAY last=0 code=NO_ERROR
c expects GOAWAY last=0 code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 2
