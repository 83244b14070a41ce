# The window that padding takes comes back with it: more of it than a window holds goes through.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Import
e accepts
e expects HEADERS stream=1
for i = 1 to 300 step 1: c sends DATA stream=1 size=10 padding=250
c sends DATA stream=1 size=10 end
advance 1ms
c expects no RST_STREAM stream=1
c forgets
e forgets
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
