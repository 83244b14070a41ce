# C7: seven failures trip it; the waits are 1 s, 2 s, 4 s ... 60 s, and each ends with one probe in flight, not two.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 7, open: { base: 1s, max: 60s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=3 end grpc-status=14
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
c expects HEADERS stream=5 end grpc-status=14
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=14 end
c expects HEADERS stream=7 end grpc-status=14
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=14 end
c expects HEADERS stream=9 end grpc-status=14
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
e expects HEADERS stream=11
e sends HEADERS stream=11 answer grpc-status=14 end
c expects HEADERS stream=11 end grpc-status=14
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
e expects HEADERS stream=13
e sends HEADERS stream=13 answer grpc-status=14 end
c expects HEADERS stream=13 end grpc-status=14
c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
c expects HEADERS stream=15 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 999ms
c sends HEADERS stream=17 call=/pay.v1.Pay/Get end
c expects HEADERS stream=17 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=19 call=/pay.v1.Pay/Get end
e expects HEADERS stream=15
c sends HEADERS stream=21 call=/pay.v1.Pay/Get end
c expects HEADERS stream=21 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=15 answer grpc-status=14 end
c expects HEADERS stream=19 end grpc-status=14
advance 1999ms
c sends HEADERS stream=23 call=/pay.v1.Pay/Get end
c expects HEADERS stream=23 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=25 call=/pay.v1.Pay/Get end
e expects HEADERS stream=17
c sends HEADERS stream=27 call=/pay.v1.Pay/Get end
c expects HEADERS stream=27 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=17 answer grpc-status=14 end
c expects HEADERS stream=25 end grpc-status=14
advance 3999ms
c sends HEADERS stream=29 call=/pay.v1.Pay/Get end
c expects HEADERS stream=29 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=31 call=/pay.v1.Pay/Get end
e expects HEADERS stream=19
c sends HEADERS stream=33 call=/pay.v1.Pay/Get end
c expects HEADERS stream=33 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=19 answer grpc-status=14 end
c expects HEADERS stream=31 end grpc-status=14
advance 7999ms
c sends HEADERS stream=35 call=/pay.v1.Pay/Get end
c expects HEADERS stream=35 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=37 call=/pay.v1.Pay/Get end
e expects HEADERS stream=21
c sends HEADERS stream=39 call=/pay.v1.Pay/Get end
c expects HEADERS stream=39 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=21 answer grpc-status=14 end
c expects HEADERS stream=37 end grpc-status=14
advance 15999ms
c sends HEADERS stream=41 call=/pay.v1.Pay/Get end
c expects HEADERS stream=41 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=43 call=/pay.v1.Pay/Get end
e expects HEADERS stream=23
c sends HEADERS stream=45 call=/pay.v1.Pay/Get end
c expects HEADERS stream=45 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=23 answer grpc-status=14 end
c expects HEADERS stream=43 end grpc-status=14
advance 31999ms
c sends HEADERS stream=47 call=/pay.v1.Pay/Get end
c expects HEADERS stream=47 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=49 call=/pay.v1.Pay/Get end
e expects HEADERS stream=25
c sends HEADERS stream=51 call=/pay.v1.Pay/Get end
c expects HEADERS stream=51 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=25 answer grpc-status=14 end
c expects HEADERS stream=49 end grpc-status=14
advance 59999ms
c sends HEADERS stream=53 call=/pay.v1.Pay/Get end
c expects HEADERS stream=53 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=55 call=/pay.v1.Pay/Get end
e expects HEADERS stream=27
c sends HEADERS stream=57 call=/pay.v1.Pay/Get end
c expects HEADERS stream=57 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=27 answer grpc-status=14 end
c expects HEADERS stream=55 end grpc-status=14
advance 59999ms
c sends HEADERS stream=59 call=/pay.v1.Pay/Get end
c expects HEADERS stream=59 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1ms
c sends HEADERS stream=61 call=/pay.v1.Pay/Get end
e expects HEADERS stream=29
c sends HEADERS stream=63 call=/pay.v1.Pay/Get end
c expects HEADERS stream=63 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=29 answer grpc-status=14 end
c expects HEADERS stream=61 end grpc-status=14
advance 60s
c sends HEADERS stream=65 call=/pay.v1.Pay/Get end
e expects HEADERS stream=31
e sends HEADERS stream=31 answer grpc-status=0 end
c expects HEADERS stream=65 end grpc-status=0
c sends HEADERS stream=67 call=/pay.v1.Pay/Get end
e expects HEADERS stream=33
e sends HEADERS stream=33 answer grpc-status=0 end
c expects HEADERS stream=67 end grpc-status=0
