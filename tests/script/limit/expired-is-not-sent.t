# When there is room again, only who still has time is sent.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    limits: { pending_timeout: 10s }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get grpc-timeout=100m x-n=1 end
e accepts
c sends HEADERS stream=3 call=/pay.v1.Pay/Get x-n=2 end
c expects HEADERS stream=1 end grpc-status=4 within 101ms
e sends SETTINGS MAX_CONCURRENT_STREAMS=5
e expects HEADERS stream=1 x-n=2
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e expects nothing
