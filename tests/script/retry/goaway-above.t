# A call above the last stream id of a GOAWAY goes again at once, once; the second GOAWAY is a failed attempt.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts as e1
e1 expects HEADERS stream=1
e1 sends GOAWAY last=0 code=NO_ERROR
e accepts as e2
e2 expects HEADERS stream=1 !grpc-previous-rpc-attempts
e2 sends GOAWAY last=0 code=NO_ERROR
e accepts as e3 within 121ms
e3 expects HEADERS stream=1 grpc-previous-rpc-attempts=1 within 121ms
e3 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
