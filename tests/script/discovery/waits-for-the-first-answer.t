# A call that comes before the first answer waits for it.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off }
end
dns payment.shop has 127.0.0.1 ttl=10s
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts within 10ms
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
