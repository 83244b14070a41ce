# A peer that lowers MAX_CONCURRENT_STREAMS gets no more streams until enough have ended.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_connections_per_endpoint: 1, pending_timeout: 10s } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e expects HEADERS stream=3 end
e sends SETTINGS MAX_CONCURRENT_STREAMS=1
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 grpc-status=0
e expects nothing
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 grpc-status=0
e expects HEADERS stream=5 end
