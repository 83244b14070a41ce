# A waiting call whose deadline is over leaves its place to another one.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    limits: { max_pending: 1, pending_timeout: 10s }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get grpc-timeout=100m end
e accepts
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=8 grpc-status-details-bin~OVERLOADED
c expects HEADERS stream=1 end grpc-status=4 within 101ms
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c expects nothing
e sends SETTINGS MAX_CONCURRENT_STREAMS=1
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
