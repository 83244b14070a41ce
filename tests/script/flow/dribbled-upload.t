# A message that comes in single bytes is not passed on in single bytes: the next sidecar would take that for an attack.
network to 127.0.0.1:15001 splits
config
version: 1
bounds: { small_data_frames: 20 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
services:
  payment: { endpoints: { static: ["127.0.0.1:8080"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
c sends DATA stream=1 size=5000
c sends DATA stream=1 size=3000 end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 size=8000 end
e sends HEADERS stream=1 answer
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects HEADERS stream=1 end grpc-status=0
metric outrigger_bound_reached_total{bound=small_data,side=downstream} 0
