# A second connection is made when the streams of the first are used up, and the peer's SETTINGS are never passed.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=2
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts as e1
e1 expects HEADERS stream=1 end
e1 expects HEADERS stream=3 end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e accepts as e2
e2 expects HEADERS stream=1 end
e1 expects nothing
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge end
e2 expects HEADERS stream=3 end
c sends HEADERS stream=9 call=/pay.v1.Pay/Charge end
e accepts as e3
e3 expects HEADERS stream=1 end
e1 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 grpc-status=0 end
c sends HEADERS stream=11 call=/pay.v1.Pay/Charge end
e1 expects HEADERS stream=5 end
