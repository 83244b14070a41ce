# WINDOW_UPDATE frames: a hundred, two for each stream, ten for each DATA frame sent; one more ends the connection.
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
for i = 1 to 100 step 1: c sends WINDOW_UPDATE stream=0 n=1
c expects open
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
for i = 1 to 2 step 1: c sends WINDOW_UPDATE stream=0 n=1
c expects open
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=hi
c expects HEADERS stream=1
c expects DATA stream=1 message=hi
for i = 1 to 10 step 1: c sends WINDOW_UPDATE stream=1 n=1
c expects open
metric outrigger_bound_reached_total{bound=window_updates,side=downstream} 0
c sends WINDOW_UPDATE stream=1 n=1
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=window_updates,side=downstream} 1
e forgets
