# An endpoint that comes back while its last call goes on keeps that connection.
dns payment.shop has 127.0.0.1 ttl=5s
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
advance 10ms
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
dns payment.shop has 127.0.0.2 ttl=5s
f accepts within 6s
dns payment.shop has 127.0.0.1 ttl=5s
f expects close within 6s
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c expects HEADERS stream=1 end grpc-status=0
e accepts nothing
e expects open
