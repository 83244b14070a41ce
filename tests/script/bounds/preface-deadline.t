# A connection that says nothing is closed after 5 s.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001 silent
advance 4900ms
c expects open
c expects close within 110ms
metric outrigger_bound_reached_total{bound=preface_timeout,side=downstream} 1
