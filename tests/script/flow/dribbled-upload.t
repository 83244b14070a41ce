# A message that comes in single bytes is not passed on in single bytes: the next sidecar would take that for an attack.
config
version: 1
bounds: { small_data_frames: 10 }
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
e accepts
e expects HEADERS stream=1
c sends RAW hex=00000c000000000001
advance 1ms
c sends RAW hex=00
advance 1ms
c sends RAW hex=00
advance 1ms
c sends RAW hex=00
advance 1ms
c sends RAW hex=00
advance 1ms
c sends RAW hex=07
advance 1ms
c sends RAW hex=70
advance 1ms
c sends RAW hex=61
advance 1ms
c sends RAW hex=79
advance 1ms
c sends RAW hex=6d
advance 1ms
c sends RAW hex=65
advance 1ms
c sends RAW hex=6e
advance 1ms
e expects nothing
c sends RAW hex=74
c sends DATA stream=1 size=0 end
e expects DATA stream=1 size=12 end
e sends HEADERS stream=1 answer
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects HEADERS stream=1 end grpc-status=0
metric outrigger_bound_reached_total{bound=small_data,side=downstream} 0
