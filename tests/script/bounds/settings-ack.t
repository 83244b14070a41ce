# Our SETTINGS are to be acknowledged within 10 s.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001 silent
c sends RAW hex=505249202a20485454502f322e300d0a0d0a534d0d0a0d0a
c sends SETTINGS
advance 9900ms
c expects open
metric outrigger_bound_reached_total{bound=settings_ack_timeout,side=downstream} 0
c expects close within 110ms
metric outrigger_bound_reached_total{bound=settings_ack_timeout,side=downstream} 1
