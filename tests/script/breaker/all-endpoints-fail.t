# C8: three endpoints that all fail: with none well max_open keeps no one in, calls are refused at once, and when the
# wait is over each endpoint is tried again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: round_robin, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, max_open: 50%, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Warm end
advance 1ms
e accepts
f accepts
g accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
f expects HEADERS stream=1
f sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=3 end grpc-status=14
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
g expects HEADERS stream=1
g sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=5 end grpc-status=14
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=7 end grpc-status=14
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
g expects HEADERS stream=3
g sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=9 end grpc-status=14
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
c expects HEADERS stream=11 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
c expects HEADERS stream=13 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 1s
c sends HEADERS stream=15 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
c expects HEADERS stream=15 end grpc-status=14
c sends HEADERS stream=17 call=/pay.v1.Pay/Get end
f expects HEADERS stream=3
f sends HEADERS stream=3 answer grpc-status=14 end
c expects HEADERS stream=17 end grpc-status=14
c sends HEADERS stream=19 call=/pay.v1.Pay/Get end
g expects HEADERS stream=5
g sends HEADERS stream=5 answer grpc-status=14 end
c expects HEADERS stream=19 end grpc-status=14
c sends HEADERS stream=21 call=/pay.v1.Pay/Get end
c expects HEADERS stream=21 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
advance 2s
c sends HEADERS stream=23 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=23 end grpc-status=0
c sends HEADERS stream=25 call=/pay.v1.Pay/Get end
f expects HEADERS stream=5
f sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=25 end grpc-status=0
c sends HEADERS stream=27 call=/pay.v1.Pay/Get end
g expects HEADERS stream=7
g sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=27 end grpc-status=0
c sends HEADERS stream=29 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends HEADERS stream=9 answer grpc-status=0 end
c expects HEADERS stream=29 end grpc-status=0
