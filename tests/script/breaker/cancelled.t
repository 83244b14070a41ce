# A caller that takes its calls back says nothing about the endpoint.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 2, open: { base: 1s, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
c sends RST_STREAM stream=1 code=CANCEL
e expects RST_STREAM stream=1 code=CANCEL

c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
c sends RST_STREAM stream=3 code=CANCEL
e expects RST_STREAM stream=3 code=CANCEL

c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
c sends RST_STREAM stream=5 code=CANCEL
e expects RST_STREAM stream=5 code=CANCEL
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=7
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
