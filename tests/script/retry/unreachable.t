# Nobody to connect to is a failed attempt: the policy says what follows.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 1s, max: 1s } } } }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
advance 100ms
c expects nothing
endpoint e listens on 127.0.0.1:9001
e accepts within 1s
e expects HEADERS stream=1 grpc-previous-rpc-attempts=1 within 1200ms
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
