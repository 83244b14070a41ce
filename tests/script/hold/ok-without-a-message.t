# Headers that were held go down with the trailers of a call that ends well without a message.
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
c sends DATA stream=1 message=x end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=x end
e sends HEADERS stream=1 answer x-from=e
e sends HEADERS stream=1 grpc-status=0 x-end=e end
c expects HEADERS stream=1 x-from=e open
c expects HEADERS stream=1 end grpc-status=0 x-end=e
