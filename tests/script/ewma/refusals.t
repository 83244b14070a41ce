# Nor does one that refuses streams.
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
e sends RST_STREAM stream=1 code=REFUSED_STREAM
f expects HEADERS stream=1
advance 10ms
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
f expects HEADERS stream=3
advance 10ms
f sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
f expects HEADERS stream=5
advance 10ms
f sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Get end
f expects HEADERS stream=7
advance 10ms
f sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c sends HEADERS stream=9 call=/pay.v1.Pay/Get end
f expects HEADERS stream=9
advance 10ms
f sends HEADERS stream=9 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
c sends HEADERS stream=11 call=/pay.v1.Pay/Get end
f expects HEADERS stream=11
advance 10ms
f sends HEADERS stream=11 answer grpc-status=0 end
c expects HEADERS stream=11 end grpc-status=0
c sends HEADERS stream=13 call=/pay.v1.Pay/Get end
f expects HEADERS stream=13
advance 10ms
f sends HEADERS stream=13 answer grpc-status=0 end
c expects HEADERS stream=13 end grpc-status=0
e expects nothing
