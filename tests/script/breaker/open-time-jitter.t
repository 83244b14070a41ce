# Chance adds to the wait or takes from it no more than `jitter`.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 1s, max: 60s, multiplier: 1, jitter: 20% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
advance 799ms
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=5 end grpc-status=14
advance 799ms
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
c expects HEADERS stream=7 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
c expects HEADERS stream=9 end grpc-status=14
advance 799ms
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
c expects HEADERS stream=11 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=14 end
c expects HEADERS stream=13 end grpc-status=14
advance 799ms
c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
c expects HEADERS stream=15 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=17 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=14 end
c expects HEADERS stream=17 end grpc-status=14
advance 799ms
c sends HEADERS stream=19 call=/pay.v1.Pay/Get end
c expects HEADERS stream=19 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=21 call=/pay.v1.Pay/Get end
e expects HEADERS stream=11
e sends HEADERS stream=11 answer grpc-status=14 end
c expects HEADERS stream=21 end grpc-status=14
advance 799ms
c sends HEADERS stream=23 call=/pay.v1.Pay/Get end
c expects HEADERS stream=23 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=25 call=/pay.v1.Pay/Get end
e expects HEADERS stream=13
e sends HEADERS stream=13 answer grpc-status=14 end
c expects HEADERS stream=25 end grpc-status=14
advance 799ms
c sends HEADERS stream=27 call=/pay.v1.Pay/Get end
c expects HEADERS stream=27 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=29 call=/pay.v1.Pay/Get end
e expects HEADERS stream=15
e sends HEADERS stream=15 answer grpc-status=14 end
c expects HEADERS stream=29 end grpc-status=14
advance 799ms
c sends HEADERS stream=31 call=/pay.v1.Pay/Get end
c expects HEADERS stream=31 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 402ms
c sends HEADERS stream=33 call=/pay.v1.Pay/Get end
e expects HEADERS stream=17
e sends HEADERS stream=17 answer grpc-status=14 end
c expects HEADERS stream=33 end grpc-status=14
