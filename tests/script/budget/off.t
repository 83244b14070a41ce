# `retry_budget: off`: every failure may be tried again.
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
    retry_budget: off
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 within 121ms
e sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14

c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
e expects HEADERS stream=7 within 121ms
e sends HEADERS stream=7 answer grpc-status=14 end
c expects HEADERS stream=3 end grpc-status=14

c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=14 end
e expects HEADERS stream=11 within 121ms
e sends HEADERS stream=11 answer grpc-status=14 end
c expects HEADERS stream=5 end grpc-status=14

c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=13
e sends HEADERS stream=13 answer grpc-status=14 end
e expects HEADERS stream=15 within 121ms
e sends HEADERS stream=15 answer grpc-status=14 end
c expects HEADERS stream=7 end grpc-status=14

c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=17
e sends HEADERS stream=17 answer grpc-status=14 end
e expects HEADERS stream=19 within 121ms
e sends HEADERS stream=19 answer grpc-status=14 end
c expects HEADERS stream=9 end grpc-status=14

c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
e expects HEADERS stream=21
e sends HEADERS stream=21 answer grpc-status=14 end
e expects HEADERS stream=23 within 121ms
e sends HEADERS stream=23 answer grpc-status=14 end
c expects HEADERS stream=11 end grpc-status=14

c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
e expects HEADERS stream=25
e sends HEADERS stream=25 answer grpc-status=14 end
e expects HEADERS stream=27 within 121ms
e sends HEADERS stream=27 answer grpc-status=14 end
c expects HEADERS stream=13 end grpc-status=14

c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
e expects HEADERS stream=29
e sends HEADERS stream=29 answer grpc-status=14 end
e expects HEADERS stream=31 within 121ms
e sends HEADERS stream=31 answer grpc-status=14 end
c expects HEADERS stream=15 end grpc-status=14
