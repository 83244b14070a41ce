# A hundred 1xx answers to a call are dropped; one more breaks it, and not the connection.
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
e expects HEADERS stream=1 end
for i = 1 to 100 step 1: e sends HEADERS stream=1 :status=103
c expects nothing
metric outrigger_bound_reached_total{bound=informational_responses,side=upstream} 0
e sends HEADERS stream=1 :status=103
e expects RST_STREAM stream=1 code=PROTOCOL_ERROR
c expects HEADERS stream=1 end grpc-status=13
metric outrigger_bound_reached_total{bound=informational_responses,side=upstream} 1
e expects open
