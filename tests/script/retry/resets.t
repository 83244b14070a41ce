# Resets are tried again where the status that their code stands for is listed.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [CANCELLED, INTERNAL, RESOURCE_EXHAUSTED, PERMISSION_DENIED], backoff: { initial: 100ms, max: 1s } } } }
    retry_budget: off
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends RST_STREAM stream=1 code=NO_ERROR
e expects HEADERS stream=3 within 121ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=5
e sends RST_STREAM stream=5 code=PROTOCOL_ERROR
e expects HEADERS stream=7 within 121ms
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
e expects HEADERS stream=9
e sends RST_STREAM stream=9 code=INTERNAL_ERROR
e expects HEADERS stream=11 within 121ms
e sends HEADERS stream=11 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=13
e sends RST_STREAM stream=13 code=CANCEL
e expects HEADERS stream=15 within 121ms
e sends HEADERS stream=15 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
e expects HEADERS stream=17
e sends RST_STREAM stream=17 code=ENHANCE_YOUR_CALM
e expects HEADERS stream=19 within 121ms
e sends HEADERS stream=19 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
e expects HEADERS stream=21
e sends RST_STREAM stream=21 code=INADEQUATE_SECURITY
e expects HEADERS stream=23 within 121ms
e sends HEADERS stream=23 answer grpc-status=0 end
c expects HEADERS stream=11 end grpc-status=0
