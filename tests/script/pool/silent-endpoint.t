# An endpoint that accepts and never sends SETTINGS is no better than one that does not answer.
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
endpoint e listens on 127.0.0.1:9001 silent
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
advance 999ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=14 grpc-message~"no HTTP/2 SETTINGS" within 6ms
e expects close within 10ms
