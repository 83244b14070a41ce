# Each attempt tells the breaker what came of it, also those that the caller does not see.
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
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 10ms, max: 10ms } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 within 13ms
e sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
