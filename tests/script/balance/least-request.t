# least_request gives a call to the endpoint with the fewest under way.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: least_request }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 1ms
e accepts
f accepts
g accepts
e expects HEADERS stream=1 end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
f expects HEADERS stream=1 end
g expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
f expects nothing
g expects nothing
