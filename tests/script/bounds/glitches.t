# Of a thousand frames that make no sense, 750 bring GOAWAY, and one more than all the end.
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
for i = 1 to 749 step 1: c sends SETTINGS ack
c expects open
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 0
c sends SETTINGS ack
c expects GOAWAY last=1 code=NO_ERROR
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 1
for i = 1 to 250 step 1: c sends SETTINGS ack
c expects open
c sends SETTINGS ack
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=glitches,side=downstream} 2
e forgets
