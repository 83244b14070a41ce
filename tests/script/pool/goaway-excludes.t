# A call above the last stream id of a GOAWAY was not processed: it goes elsewhere, with its body.
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
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge
c sends DATA stream=3 message=body end
e accepts as e1
e1 expects HEADERS stream=1 end
e1 expects HEADERS stream=3 open
e1 expects DATA stream=3 message=body end
e1 sends GOAWAY last=1 code=NO_ERROR
e accepts as e2
e2 expects HEADERS stream=1 open
e2 expects DATA stream=1 message=body end
e1 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
e2 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
