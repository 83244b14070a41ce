# A caller that sends more than its window breaks its stream, not the connection.
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
network to 127.0.0.1:9001 works
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
c sends DATA stream=1 size=65535
e expects DATA stream=1 size=65535
c sends DATA stream=1 size=65535
c sends DATA stream=1 size=1
c expects RST_STREAM stream=1 code=FLOW_CONTROL_ERROR
e expects RST_STREAM stream=1 code=CANCEL
c expects open
