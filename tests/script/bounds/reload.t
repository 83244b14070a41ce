# New bounds hold for connections that begin after the reload.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c expects SETTINGS
reload
version: 1
bounds: { pings: { burst: 2, per_second: 1 } }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
for i = 1 to 9 step 1: c sends PING
c expects open
client d connects to 127.0.0.1:15001
for i = 1 to 2 step 1: d sends PING
d expects open
d sends PING
d expects GOAWAY code=ENHANCE_YOUR_CALM
d expects close
c forgets
