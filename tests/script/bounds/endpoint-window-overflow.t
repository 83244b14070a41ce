# An endpoint whose window grows over 2^31-1 breaks its call, and not the connection.
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
e sends WINDOW_UPDATE stream=1 n=2147483647
e expects RST_STREAM stream=1 code=FLOW_CONTROL_ERROR
c expects HEADERS stream=1 end grpc-status=13
e expects open
