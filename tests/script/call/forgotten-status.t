# An endpoint that ends without a grpc-status never counts as success: UNKNOWN, whether the trailers have none or DATA
# ends the stream.
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
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=done
e sends HEADERS stream=1 x-took=1 end
c expects HEADERS stream=1
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=2 grpc-message~"without a grpc-status"
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer
e sends DATA stream=3 message=done end
c expects HEADERS stream=3
c expects DATA stream=3 message=done
c expects HEADERS stream=3 end grpc-status=2
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer end
c expects HEADERS stream=5 end grpc-status=2
