# B20: A pushback that is no int32 means never.
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
e sends HEADERS stream=1 answer grpc-status=14 grpc-retry-pushback-ms=soon end
c expects HEADERS stream=1 end grpc-status=14

c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 grpc-retry-pushback-ms=1.5 end
c expects HEADERS stream=3 end grpc-status=14

c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 grpc-retry-pushback-ms=10ms end
c expects HEADERS stream=5 end grpc-status=14

c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=14 grpc-retry-pushback-ms=+5 end
c expects HEADERS stream=7 end grpc-status=14

c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=14 grpc-retry-pushback-ms=0x10 end
c expects HEADERS stream=9 end grpc-status=14
advance 2s
e expects nothing
