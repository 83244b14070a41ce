# A reload to another name keeps the endpoints of the old one until the new one is known, however long that takes.
dns old.shop has 127.0.0.1
dns new.shop fails servfail
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "old.shop:9001" }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
advance 10ms
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
reload
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "new.shop:9001" }, tls: off }
end
advance 20s
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=1 answer grpc-status=0 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c expects HEADERS stream=3 end grpc-status=0
dns new.shop has 127.0.0.2
e expects close within 6s
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
f accepts
f expects HEADERS stream=1 end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
