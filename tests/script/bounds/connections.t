# A listener takes so many connections; one more is closed at once, and when one has gone there is room.
config
version: 1
bounds: { connections_per_listener: 2 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client a connects to 127.0.0.1:15001
client b connects to 127.0.0.1:15001
b expects open
client c connects to 127.0.0.1:15001 silent
c expects close
metric outrigger_bound_reached_total{bound=connections_per_listener,side=downstream} 1
a closes
advance 1ms
client d connects to 127.0.0.1:15001
d expects SETTINGS
