# C7: While the probe is in flight nobody else goes.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
advance 1s
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c expects HEADERS stream=5 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
c expects HEADERS stream=7 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
