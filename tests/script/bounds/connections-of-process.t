# The process takes so many connections; one more is closed at once.
config
version: 1
bounds: { connections: 1 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client a connects to 127.0.0.1:15001
a expects SETTINGS
client b connects to 127.0.0.1:15001 silent
b expects close
metric outrigger_bound_reached_total{bound=connections,side=downstream} 1
