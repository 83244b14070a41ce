# A thousand frames of unknown types a second are ignored; one more ends the connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
for i = 1 to 1000 step 1: c sends FRAME type=99 hex=00
c expects open
advance 1s
for i = 1 to 1000 step 1: c sends FRAME type=99 hex=00
c expects open
metric outrigger_bound_reached_total{bound=unknown_frames,side=downstream} 0
c sends FRAME type=99 hex=00
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=unknown_frames,side=downstream} 1
