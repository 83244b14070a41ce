# One deadline holds over all attempts: each is told what is left, and its end ends the call.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get grpc-timeout=500m end
e accepts
e expects HEADERS stream=1 grpc-timeout<=500m grpc-timeout>=499m
advance 200ms
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 grpc-timeout<=220m grpc-timeout>=179m within 121ms
c expects HEADERS stream=1 end grpc-status=4 within 221ms
e expects RST_STREAM stream=3 code=CANCEL
