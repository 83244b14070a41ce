# An answer that is no gRPC counts as the status that its HTTP status stands for, and is tried again where that is listed.
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
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 :status=503 content-type=text/html
e expects RST_STREAM stream=1
e expects HEADERS stream=3 grpc-previous-rpc-attempts=1 within 121ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends HEADERS stream=5 :status=401 content-type=text/html end
c expects HEADERS stream=3 end grpc-status=16
