# What a rest has made look fast gets one call, and the next one goes elsewhere: nobody runs to what is not known any more.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: peak_ewma, policy: p }
policies:
  p:
    timeout: 5s
end
endpoint e listens on 127.0.0.1:9002
endpoint f listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
advance 1ms
e accepts
f accepts
e expects HEADERS stream=1
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
f expects HEADERS stream=1
advance 10ms
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
advance 90ms
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
advance 60s
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
f expects HEADERS stream=3
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
f expects HEADERS stream=5
f sends HEADERS stream=3 answer grpc-status=0 end
f sends HEADERS stream=5 answer grpc-status=0 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
c expects HEADERS stream=9 end grpc-status=0
c expects HEADERS stream=7 end grpc-status=0
