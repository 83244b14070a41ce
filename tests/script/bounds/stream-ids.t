# At three quarters of all stream ids a connection is ended in order, and its calls end normally.
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
c sends HEADERS stream=1610612735 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
c expects nothing
c sends HEADERS stream=1610612737 call=/pay.v1.Pay/Charge end
c expects GOAWAY last=1610612737 code=NO_ERROR
e expects HEADERS stream=3 end
e sends HEADERS stream=1 answer grpc-status=0 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1610612735 end grpc-status=0
c expects HEADERS stream=1610612737 end grpc-status=0
c expects close
metric outrigger_bound_reached_total{bound=stream_ids,side=downstream} 1
