# A connection without a stream for an hour gets GOAWAY, in two phases, and closes.
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
advance 30m
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
advance 59m
for i = 1 to 9 step 1: c sends PING
for i = 1 to 9 step 1: c expects PING
c expects open
metric outrigger_bound_reached_total{bound=idle_connection,side=downstream} 0
c expects GOAWAY last=2147483647 code=NO_ERROR within 61s
c expects PING
c expects GOAWAY last=1 code=NO_ERROR
c expects close
metric outrigger_bound_reached_total{bound=idle_connection,side=downstream} 1
