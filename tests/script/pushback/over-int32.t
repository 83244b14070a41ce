# So does one that is over an int32; the largest one is taken.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
    retry_budget: off
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 grpc-retry-pushback-ms=2147483648 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get grpc-timeout=1000H end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 grpc-retry-pushback-ms=2147483647 end
advance 10s
c expects nothing
c sends RST_STREAM stream=3 code=CANCEL
e expects nothing
