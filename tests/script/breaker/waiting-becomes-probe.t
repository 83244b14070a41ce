# A call that waits because one endpoint is out and another still connects goes as a probe when the wait of the one is over.
network to 127.0.0.1:9002 vanishes
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 300ms, max: 4s, multiplier: 2, jitter: 0% }, ramp: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
advance 299ms
e expects nothing
c expects nothing
e expects HEADERS stream=3 within 4ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
