# Connections that have not sent their preface are few; one more is closed at once.
config
version: 1
bounds: { pending_handshakes: 2 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
for i = 1 to 1 step 1: client a connects to 127.0.0.1:15001 silent
client b connects to 127.0.0.1:15001 silent
b expects open
metric outrigger_bound_reached_total{bound=pending_handshakes,side=downstream} 0
client c connects to 127.0.0.1:15001 silent
c expects close
metric outrigger_bound_reached_total{bound=pending_handshakes,side=downstream} 1
b expects close within 5s
client d connects to 127.0.0.1:15001
d expects open
a expects close
