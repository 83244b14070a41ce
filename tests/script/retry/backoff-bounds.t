# Chance adds or takes a fifth of the wait, and no more.
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
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=5 within 42ms
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=9 within 42ms
e sends HEADERS stream=9 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=11
e sends HEADERS stream=11 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=13 within 42ms
e sends HEADERS stream=13 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=15
e sends HEADERS stream=15 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=17 within 42ms
e sends HEADERS stream=17 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
e expects HEADERS stream=19
e sends HEADERS stream=19 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=21 within 42ms
e sends HEADERS stream=21 answer grpc-status=0 end
c expects HEADERS stream=11 end grpc-status=0
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
e expects HEADERS stream=23
e sends HEADERS stream=23 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=25 within 42ms
e sends HEADERS stream=25 answer grpc-status=0 end
c expects HEADERS stream=13 end grpc-status=0
c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
e expects HEADERS stream=27
e sends HEADERS stream=27 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=29 within 42ms
e sends HEADERS stream=29 answer grpc-status=0 end
c expects HEADERS stream=15 end grpc-status=0
c sends HEADERS stream=17 call=/pay.v1.Pay/Get end
e expects HEADERS stream=31
e sends HEADERS stream=31 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=33 within 42ms
e sends HEADERS stream=33 answer grpc-status=0 end
c expects HEADERS stream=17 end grpc-status=0
c sends HEADERS stream=19 call=/pay.v1.Pay/Get end
e expects HEADERS stream=35
e sends HEADERS stream=35 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=37 within 42ms
e sends HEADERS stream=37 answer grpc-status=0 end
c expects HEADERS stream=19 end grpc-status=0
c sends HEADERS stream=21 call=/pay.v1.Pay/Get end
e expects HEADERS stream=39
e sends HEADERS stream=39 answer grpc-status=14 end
advance 79ms
e expects nothing
e expects HEADERS stream=41 within 42ms
e sends HEADERS stream=41 answer grpc-status=0 end
c expects HEADERS stream=21 end grpc-status=0
