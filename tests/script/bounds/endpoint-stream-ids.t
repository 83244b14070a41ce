# A connection to an endpoint whose ids are used up is replaced; no call fails.
config
version: 1
bounds: { stream_ids: 5 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts as a
a expects HEADERS stream=1 end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
a expects HEADERS stream=3 end
e accepts as b
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
b expects HEADERS stream=1 end
a sends HEADERS stream=1 answer grpc-status=0 end
a sends HEADERS stream=3 answer grpc-status=0 end
a expects close
b sends HEADERS stream=1 answer grpc-status=0 end
c expects GOAWAY last=5 code=NO_ERROR
for i = 1 to 5 step 2: c expects HEADERS stream=$i end grpc-status=0
metric outrigger_bound_reached_total{bound=stream_ids,side=upstream} 1
c expects close
