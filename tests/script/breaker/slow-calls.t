# Calls that take longer than longer_than open, however well they end.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { slow_calls: { longer_than: 100ms, threshold: 50%, window: 10s, min_requests: 2 }, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
advance 99ms
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
advance 101ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c expects HEADERS stream=5 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
