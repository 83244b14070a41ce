# Response headers of a call whose request is open commit it: an error after them is final.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 message=x
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=x
e sends HEADERS stream=1 answer
c expects HEADERS stream=1 open
e sends HEADERS stream=1 grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
e expects RST_STREAM stream=1 code=NO_ERROR
c expects RST_STREAM stream=1 code=NO_ERROR
advance 2s
e expects nothing
