# A peer that makes us answer and does not read is cut off once 1,000 frames wait for it.
network to 127.0.0.1:15001 holds=2048
config
version: 1
bounds: { pings: { burst: 10000, per_second: 1 } }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c stops
for i = 1 to 1100 step 1: c sends PING
advance 1ms
metric outrigger_bound_reached_total{bound=queued_control_frames,side=downstream} 0
for i = 1 to 500 step 1: c sends PING
advance 1ms
metric outrigger_bound_reached_total{bound=queued_control_frames,side=downstream} 1
c reads
c expects close within 2s
