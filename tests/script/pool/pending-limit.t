# C9: max_pending calls may wait; the next is refused as OVERLOADED, with a pushback.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_pending: 2, pending_timeout: 5s } }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=5 end grpc-status=8 grpc-retry-pushback-ms=100 grpc-status-details-bin~OVERLOADED
c expects nothing
e sends SETTINGS MAX_CONCURRENT_STREAMS=5
e expects HEADERS stream=1 end
e expects HEADERS stream=3 end
