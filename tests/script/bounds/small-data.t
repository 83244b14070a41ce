# A thousand DATA frames of 16 bytes are a stream; of 15, an attack.
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
for i = 1 to 1000 step 1: c sends DATA stream=1 size=16
c expects open
metric outrigger_bound_reached_total{bound=small_data,side=downstream} 0
for i = 1 to 1000 step 1: c sends DATA stream=1 size=15
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=small_data,side=downstream} 1
e forgets
