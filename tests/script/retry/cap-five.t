# Five attempts are the most; more cannot be written.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 5, on: [UNAVAILABLE], backoff: { initial: 10ms, max: 10ms } } } }
    retry_budget: off
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 within 13ms
e sends HEADERS stream=3 answer grpc-status=14 end
e expects HEADERS stream=5 within 13ms
e sends HEADERS stream=5 answer grpc-status=14 end
e expects HEADERS stream=7 within 13ms
e sends HEADERS stream=7 answer grpc-status=14 end
e expects HEADERS stream=9 within 13ms
e sends HEADERS stream=9 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
reload is refused
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 6, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
