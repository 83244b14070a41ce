# per_try_timeout is a failure of the endpoint.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 2, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 10ms, max: 10ms }, per_try_timeout: 100ms } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e expects RST_STREAM stream=1 within 101ms
e expects HEADERS stream=3 within 13ms
e expects RST_STREAM stream=3 within 101ms
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
