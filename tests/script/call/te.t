# `te: trailers` goes through; any other value is no HTTP/2 (RFC 9113 section 8.2.2), and the call dies alone.
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
e expects HEADERS stream=1 te=trailers
c sends HEADERS stream=3 :method=POST :scheme=http :path=/a.B/C :authority=shop content-type=application/grpc te=gzip end
c expects RST_STREAM stream=3 code=PROTOCOL_ERROR
e expects nothing
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=done
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 :status=200
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=0
