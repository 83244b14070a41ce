# An endpoint that does not acknowledge our SETTINGS within 10 s loses its connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 silent
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e sends SETTINGS
e expects HEADERS stream=1
advance 9900ms
e expects open
e expects close within 110ms
c expects HEADERS stream=1 end grpc-status=14
c expects RST_STREAM stream=1 code=NO_ERROR
metric outrigger_bound_reached_total{bound=settings_ack_timeout,side=upstream} 1
e accepts within 2s
