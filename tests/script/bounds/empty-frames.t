# Ten frames in a row that carry nothing are borne; the next one ends the connection.
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
for i = 1 to 10 step 1: c sends DATA stream=1 size=0
c expects open
c sends DATA stream=1 size=1
for i = 1 to 10 step 1: c sends DATA stream=1 size=0 padding=9
c expects open
metric outrigger_bound_reached_total{bound=empty_frames,side=downstream} 0
c sends DATA stream=1 size=0
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=empty_frames,side=downstream} 1
e forgets
