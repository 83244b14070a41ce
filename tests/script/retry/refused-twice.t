# REFUSED_STREAM is answered at once a single time; the second one is a failed attempt, and waits.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends RST_STREAM stream=1 code=REFUSED_STREAM
e expects HEADERS stream=3 !grpc-previous-rpc-attempts
e sends RST_STREAM stream=3 code=REFUSED_STREAM
advance 79ms
e expects nothing
e expects HEADERS stream=5 grpc-previous-rpc-attempts=1 within 42ms
e sends RST_STREAM stream=5 code=REFUSED_STREAM
c expects HEADERS stream=1 end grpc-status=14
