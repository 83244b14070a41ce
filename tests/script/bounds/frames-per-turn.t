# What a turn may not take waits for the next, and is all answered.
config
version: 1
bounds: { frames_per_turn: 2 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends RAW hex=00000806000000000001020304050607080000080600000000000102030405060708
c expects PING
c expects PING
metric outrigger_bound_reached_total{bound=frames_per_turn,side=downstream} 0
c sends RAW hex=000008060000000000010203040506070800000806000000000001020304050607080000080600000000000102030405060708
c expects PING
c expects PING
c expects PING
metric outrigger_bound_reached_total{bound=frames_per_turn,side=downstream} 1
