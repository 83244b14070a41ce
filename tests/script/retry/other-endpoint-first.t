# Another attempt goes where none has been, however busy it is there; only then where one has.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: least_request, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 4, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
    retry_budget: off
end
endpoint e listens on 127.0.0.1:9002
endpoint f listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Hold end
advance 1ms
e accepts
f accepts
e expects HEADERS stream=1
c sends HEADERS stream=3 call=/pay.v1.Pay/Hold end
f expects HEADERS stream=1
c sends HEADERS stream=5 call=/pay.v1.Pay/Hold end
c sends HEADERS stream=7 call=/pay.v1.Pay/Hold end
advance 1ms
e forgets
f forgets
e sends HEADERS stream=3 answer grpc-status=0 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
advance 1ms
c forgets
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
f expects HEADERS stream=5 within 121ms
f sends HEADERS stream=5 answer grpc-status=14 end
e expects HEADERS stream=7 within 241ms
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
f expects nothing
