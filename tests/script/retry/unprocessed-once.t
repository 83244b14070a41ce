# A verified sidecar that has forwarded nothing says so: the call goes again at once, a single time.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { dns: payment.shop }, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
endpoint e listens on 127.0.0.1:9001 tls as payment
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 outrigger-unprocessed=1 end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer grpc-status=14 outrigger-unprocessed=1 end
c expects HEADERS stream=1 end grpc-status=14 !outrigger-unprocessed
