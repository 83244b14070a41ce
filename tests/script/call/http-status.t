# An HTTP answer without grpc-status is mapped (http-grpc-status-mapping.md); its body does not reach the caller.
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
e sends HEADERS stream=1 :status=503 content-type=text/html
e sends DATA stream=1 text="<p>down" end
c expects HEADERS stream=1 end :status=200 content-type=application/grpc grpc-status=14 grpc-message~503
e expects RST_STREAM stream=1 code=NO_ERROR
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3
e sends HEADERS stream=3 :status=404 content-type=text/plain end
c expects HEADERS stream=3 end :status=200 content-type=application/grpc grpc-status=12 grpc-message~404
