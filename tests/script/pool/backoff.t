# After a refused connect the endpoint rests 50 to 150 ms, then longer; calls meanwhile fail at once.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=1 end grpc-status=14 grpc-status-details-bin~UPSTREAM_CONNECT
metric outrigger_upstream_connects_total 1
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=3 end grpc-status=14
metric outrigger_upstream_connects_total 1
advance 45ms
metric outrigger_upstream_connects_total 1
advance 110ms
metric outrigger_upstream_connects_total 2
endpoint e listens on 127.0.0.1:9001
advance 2s
e accepts
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=1 end
