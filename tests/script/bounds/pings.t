# A hundred pings a second are answered; one more ends the connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
for i = 1 to 100 step 1: c sends PING
for i = 1 to 100 step 1: c expects PING
advance 1s
for i = 1 to 100 step 1: c sends PING
for i = 1 to 100 step 1: c expects PING
metric outrigger_bound_reached_total{bound=pings,side=downstream} 0
c sends PING
c expects PING
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=pings,side=downstream} 1
