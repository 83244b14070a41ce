# A call that may have been seen is never sent again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: pick_first }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends RST_STREAM stream=1 code=INTERNAL_ERROR
c expects HEADERS stream=1 end grpc-status=13
f accepts nothing
