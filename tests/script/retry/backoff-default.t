# Without `backoff` the first wait is 25 ms and the second 50, with a fifth of chance.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE] } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
advance 19ms
e expects nothing
e expects HEADERS stream=3 within 12ms
e sends HEADERS stream=3 answer grpc-status=14 end
advance 39ms
e expects nothing
e expects HEADERS stream=5 within 22ms
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
