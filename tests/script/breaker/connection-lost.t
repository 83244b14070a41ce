# A connection that ends under a call is a failure of its endpoint.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts as e1
e1 expects HEADERS stream=1
e1 resets
c expects HEADERS stream=1 end grpc-status=14 grpc-status-details-bin~UPSTREAM_RESET
e accepts as e2 within 200ms
advance 1ms
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
