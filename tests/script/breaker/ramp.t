# An endpoint that has come back gets its share over `ramp`: next to nothing at first, all of it at the end.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: round_robin, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: 10s }
end
endpoint e listens on 127.0.0.1:9002
endpoint f listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Warm end
advance 1ms
e accepts
f accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
f expects HEADERS stream=1
f sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=3 end grpc-status=14
advance 1s
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
f expects HEADERS stream=3
f sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=11 end grpc-status=0
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=0 end
c expects HEADERS stream=13 end grpc-status=0
c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
e expects HEADERS stream=11
e sends HEADERS stream=11 answer grpc-status=0 end
c expects HEADERS stream=15 end grpc-status=0
c sends HEADERS stream=17 call=/pay.v1.Pay/Get end
e expects HEADERS stream=13
e sends HEADERS stream=13 answer grpc-status=0 end
c expects HEADERS stream=17 end grpc-status=0
c sends HEADERS stream=19 call=/pay.v1.Pay/Get end
e expects HEADERS stream=15
e sends HEADERS stream=15 answer grpc-status=0 end
c expects HEADERS stream=19 end grpc-status=0
c sends HEADERS stream=21 call=/pay.v1.Pay/Get end
e expects HEADERS stream=17
e sends HEADERS stream=17 answer grpc-status=0 end
c expects HEADERS stream=21 end grpc-status=0
f expects nothing
advance 10s
c sends HEADERS stream=23 call=/pay.v1.Pay/Get end
c sends HEADERS stream=25 call=/pay.v1.Pay/Get end
f expects HEADERS stream=5
e expects HEADERS stream=19
f sends HEADERS stream=5 answer grpc-status=0 end
e sends HEADERS stream=19 answer grpc-status=0 end
c expects HEADERS stream=23 end grpc-status=0
c expects HEADERS stream=25 end grpc-status=0
