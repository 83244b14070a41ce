# GOAWAY: calls under way end there, new ones go over a new connection, and the old one is closed once it is empty.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts as e1
e1 expects HEADERS stream=1 end
e1 sends GOAWAY last=2147483647 code=NO_ERROR
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts as e2
e2 expects HEADERS stream=1 end
e1 expects open
e1 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
e1 expects close within 1ms
e2 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
metric outrigger_upstream_goaways_total 1
