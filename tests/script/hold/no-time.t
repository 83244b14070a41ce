# Headers do not wait when no time is left for another attempt.
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
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get grpc-timeout=700m
c sends DATA stream=1 message=x end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=x end
e sends HEADERS stream=1 answer
c expects HEADERS stream=1 open
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
