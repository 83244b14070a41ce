# An endpoint that floods with pings loses its connection, and the call is UNAVAILABLE.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
for i = 1 to 101 step 1: e sends PING
for i = 1 to 101 step 1: e expects PING
c expects HEADERS stream=1 end grpc-status=14
metric outrigger_bound_reached_total{bound=pings,side=upstream} 1
e expects GOAWAY code=ENHANCE_YOUR_CALM
e expects close
