# A connection that ends while headers wait is tried again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 message=x end
e accepts as e1
e1 expects HEADERS stream=1
e1 expects DATA stream=1 message=x end
e1 sends HEADERS stream=1 answer
c expects nothing
e1 resets
e accepts as e2 within 200ms
e2 expects HEADERS stream=1 within 121ms
e2 expects DATA stream=1 message=x end
e2 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
