# What was wrong with one attempt is not said of the next.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [RESOURCE_EXHAUSTED], backoff: { initial: 1ms, max: 1ms } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer fields=101
e expects RST_STREAM stream=1 within 5ms
e expects HEADERS stream=3 within 5ms
e sends RST_STREAM stream=3 code=2
c expects HEADERS stream=1 end grpc-status=13 grpc-message~"broke the call off"
