# After fifty premature resets, requests that are reset in the same turn reach no endpoint.
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
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end
for i = 3 to 101 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 3 to 101 step 2: c sends RST_STREAM stream=$i code=CANCEL
e expects HEADERS stream=3 end
e forgets
for i = 103 to 201 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 103 to 201 step 2: c sends RST_STREAM stream=$i code=CANCEL
e expects nothing
c sends HEADERS stream=203 call=/a.B/C end
e expects HEADERS stream=103 end
e sends HEADERS stream=103 answer grpc-status=0 end
c expects HEADERS stream=203 end grpc-status=0
