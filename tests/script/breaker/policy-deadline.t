# The timeout of the policy is the endpoint's failure.
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
    timeout: 100ms
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
c expects HEADERS stream=1 end grpc-status=4 within 101ms
e expects RST_STREAM stream=1 code=CANCEL

c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
c expects HEADERS stream=3 end grpc-status=4 within 101ms
e expects RST_STREAM stream=3 code=CANCEL
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c expects HEADERS stream=5 end grpc-status=14 grpc-status-details-bin~BREAKER_OPEN
