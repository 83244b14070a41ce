# A listener that is gone from the file drains; the other one is not touched; connects to it are refused.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
  - listen: 127.0.0.1:15002
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
client d connects to 127.0.0.1:15002
d sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
reload
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
d expects GOAWAY last=2147483647
d expects PING
d expects GOAWAY last=1
client x connects to 127.0.0.1:15002
x expects close "Connection refused"
c expects nothing
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=1 answer grpc-status=0 end
d expects HEADERS stream=1 end grpc-status=0
d expects close within 1ms
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
