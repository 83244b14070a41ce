# The end of per_try_timeout counts as UNAVAILABLE: where that is not tried again, the call ends.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [ABORTED], backoff: { initial: 100ms, max: 1s }, per_try_timeout: 200ms } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e expects RST_STREAM stream=1 within 201ms
c expects HEADERS stream=1 end grpc-status=14 grpc-status-details-bin~UPSTREAM_TIMEOUT
