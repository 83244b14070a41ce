# What is not application/grpc gets 415 with a short text, and never an endpoint.
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
c sends HEADERS stream=1 :method=POST :scheme=http :path=/a.B/C :authority=shop content-type=application/json end
c expects HEADERS stream=1 open :status=415 content-type~text/plain !grpc-status
c expects DATA stream=1 text="gRPC requests have the content type application/grpc.\n" end
c sends HEADERS stream=3 :method=POST :scheme=http :path=/a.B/C :authority=shop content-type=application/grpc+proto te=trailers end
e accepts
e expects HEADERS stream=1 content-type=application/grpc+proto
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c sends HEADERS stream=5 :method=POST :scheme=http :path=/a.B/C :authority=shop content-type=application/grpc;charset=utf-8 te=trailers end
e expects HEADERS stream=3 content-type=application/grpc;charset=utf-8
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
