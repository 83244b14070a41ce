# idempotency_level in the descriptors says what may be sent twice.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    descriptors: payment.binpb
    retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/payment.v1.Payment/GetPayment end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
e expects HEADERS stream=3 within 121ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/payment.v1.Payment/Charge end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer grpc-status=14 end
c expects HEADERS stream=3 end grpc-status=14
