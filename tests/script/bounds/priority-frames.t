# A hundred PRIORITY frames, and a hundred for each stream, are ignored; one more ends the connection.
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
for i = 1 to 100 step 1: c sends PRIORITY stream=1001 hex=0000000010
c expects open
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
for i = 1 to 100 step 1: c sends PRIORITY stream=1 hex=0000000010
c expects open
metric outrigger_bound_reached_total{bound=priority_frames,side=downstream} 0
c sends PRIORITY stream=1 hex=0000000010
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=priority_frames,side=downstream} 1
e forgets
