# The code of a reset decides the status (gRPC over HTTP2, "Errors").
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
e expects HEADERS stream=1
e sends RST_STREAM stream=1 code=NO_ERROR
c expects HEADERS stream=1 end grpc-status=13
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3
e sends RST_STREAM stream=3 code=PROTOCOL_ERROR
c expects HEADERS stream=3 end grpc-status=13
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=5
e sends RST_STREAM stream=5 code=INTERNAL_ERROR
c expects HEADERS stream=5 end grpc-status=13
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=7
e sends RST_STREAM stream=7 code=FLOW_CONTROL_ERROR
c expects HEADERS stream=7 end grpc-status=13
c sends HEADERS stream=9 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=9
e sends RST_STREAM stream=9 code=CANCEL
c expects HEADERS stream=9 end grpc-status=1
c sends HEADERS stream=11 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=11
e sends RST_STREAM stream=11 code=ENHANCE_YOUR_CALM
c expects HEADERS stream=11 end grpc-status=8
c sends HEADERS stream=13 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=13
e sends RST_STREAM stream=13 code=INADEQUATE_SECURITY
c expects HEADERS stream=13 end grpc-status=7
