# 1xx answers stop here; the final one goes on.
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
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 :status=103 link=x
c expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end :status=200 grpc-status=0
