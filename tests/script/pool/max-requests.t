# max_requests calls may be under way; the next is refused, and a place is free once one has ended.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_requests: 2 } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e expects HEADERS stream=3 end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=5 end grpc-status=8 grpc-status-details-bin~OVERLOADED
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=5 end
