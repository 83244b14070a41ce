# An endpoint that allows no stream lets calls wait; when it allows one, one goes at a time.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts as a
a expects nothing
a sends SETTINGS MAX_CONCURRENT_STREAMS=1
a expects SETTINGS ack
a expects HEADERS stream=1 end
a expects no HEADERS stream=3
a sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
a expects HEADERS stream=3 end
a sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
