# A request of exactly `buffer` bytes is kept for another attempt.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s }, buffer: 1KiB } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 size=1024 end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 size=1024 end
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 within 121ms
e expects DATA stream=3 size=1024 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
