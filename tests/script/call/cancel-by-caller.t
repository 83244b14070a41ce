# A caller that cancels: the endpoint is told CANCEL at once, and nothing more comes.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
c sends RST_STREAM stream=1 code=CANCEL
e expects RST_STREAM stream=1 code=CANCEL
e sends HEADERS stream=1 answer grpc-status=0 end
c expects nothing
e expects nothing
