# A path that is not /Service/Method, or that another reader could see differently, has no route.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/x end
c expects HEADERS stream=1 end grpc-status=12
c sends HEADERS stream=3 call=/a.B/ end
c expects HEADERS stream=3 end grpc-status=12
c sends HEADERS stream=5 call=/a/../C end
c expects HEADERS stream=5 end grpc-status=12
c sends HEADERS stream=7 call=/a.B/C?x end
c expects HEADERS stream=7 end grpc-status=12
c sends HEADERS stream=9 call=/a%2eB/C end
c expects HEADERS stream=9 end grpc-status=12
c sends HEADERS stream=11 call=/a//C end
c expects HEADERS stream=11 end grpc-status=12
