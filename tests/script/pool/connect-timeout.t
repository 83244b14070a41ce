# A connection that does not come about within 1 s is given up.
network to 127.0.0.1:9001 vanishes
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { pending_timeout: 10s } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 999ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=14 grpc-message~"within 1 s" within 6ms
metric outrigger_upstream_connect_failures_total 1
