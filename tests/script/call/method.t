# GET is answered with 405 and a short text, HEAD with 405 alone.
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
c sends HEADERS stream=1 :method=GET :scheme=http :path=/a.B/C :authority=shop end
c expects HEADERS stream=1 open :status=405 !grpc-status
c expects DATA stream=1 text="gRPC requests use POST; this method is not allowed here.\n" end
c sends HEADERS stream=3 :method=HEAD :scheme=http :path=/a.B/C :authority=shop end
c expects HEADERS stream=3 end :status=405 !grpc-status
e accepts nothing
