# A unary call goes to the endpoint and its answer comes back, metadata and all.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge x-order=17
c sends DATA stream=1 message=hello end
e accepts
e expects HEADERS stream=1 open :method=POST :scheme=http :path=/pay.v1.Pay/Charge :authority=shop te=trailers content-type=application/grpc x-order=17 !grpc-timeout
e expects DATA stream=1 message=hello end
e sends HEADERS stream=1 answer x-charged=yes
e sends DATA stream=1 message=done
e sends HEADERS stream=1 grpc-status=0 x-took=3 end
c expects HEADERS stream=1 open :status=200 content-type=application/grpc x-charged=yes
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=0 x-took=3
