# So does one written for pkg.Service/*; the idempotent method beside it is tried again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    idempotent: [pay.v1.Pay/Get]
    methods: { pay.v1.Pay/*: { retry: { max_attempts: 2, on: [UNAVAILABLE] } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 end
e expects HEADERS stream=5 within 31ms
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e expects nothing
