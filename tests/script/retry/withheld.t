# A retry written for a whole policy leaves alone what is not known to be idempotent.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    retry: { max_attempts: 3, on: [UNAVAILABLE] }
    idempotent: pay.v1.Pay/Get
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
advance 2s
e expects nothing
