# An empty DATA frame is no message: headers wait on, and nothing goes down before them.
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
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=x end
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=0
c expects nothing
e sends HEADERS stream=1 grpc-status=14 end
e expects HEADERS stream=3 within 121ms
e expects DATA stream=3 message=x end
e sends HEADERS stream=3 answer
e sends DATA stream=3 size=0
e sends DATA stream=3 message=done
c expects HEADERS stream=1 open
c expects DATA stream=1 message=done
e sends HEADERS stream=3 grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
