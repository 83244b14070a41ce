# A call that waits for its next attempt when the endpoints change goes on among the new ones.
dns payment.shop has 127.0.0.1 ttl=5s
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off, policy: p }
policies:
  p: { methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 10s, max: 10s } } } } }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
advance 10ms
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 message=x end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=x end
e sends HEADERS stream=1 answer grpc-status=14 end
dns payment.shop has 127.0.0.2 ttl=5s
e expects close within 6s
f accepts
f expects HEADERS stream=1 grpc-previous-rpc-attempts=1 within 13s
f expects DATA stream=1 message=x end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
