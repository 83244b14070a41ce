# B20: grpc-previous-rpc-attempts: absent at first, then exact; on top of the attempts that the caller tells of itself.
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
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1 !grpc-previous-rpc-attempts
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 grpc-previous-rpc-attempts=1 within 121ms
e sends HEADERS stream=3 answer grpc-status=14 end
e expects HEADERS stream=5 grpc-previous-rpc-attempts=2 within 241ms
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get grpc-previous-rpc-attempts=7 end
e expects HEADERS stream=7 grpc-previous-rpc-attempts=7
e sends HEADERS stream=7 answer grpc-status=14 end
e expects HEADERS stream=9 grpc-previous-rpc-attempts=8 within 121ms
e sends HEADERS stream=9 answer grpc-status=14 end
e expects HEADERS stream=11 grpc-previous-rpc-attempts=9 within 241ms
e sends HEADERS stream=11 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 call=/pay.v1.Pay/Get grpc-previous-rpc-attempts=many end
e expects HEADERS stream=13 grpc-previous-rpc-attempts=many
e sends HEADERS stream=13 answer grpc-status=14 end
e expects HEADERS stream=15 grpc-previous-rpc-attempts=1 within 121ms
e sends HEADERS stream=15 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
