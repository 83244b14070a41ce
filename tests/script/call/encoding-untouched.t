# grpc-encoding, grpc-accept-encoding and compressed messages are not ours.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-encoding=gzip grpc-accept-encoding=gzip,identity
c sends DATA stream=1 hex=01000000031f8b08 end
e accepts
e expects HEADERS stream=1 grpc-encoding=gzip grpc-accept-encoding=gzip,identity
e expects DATA stream=1 text="\x01\x00\x00\x00\x03\x1f\x8b\x08" end
e sends HEADERS stream=1 answer grpc-encoding=br
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 grpc-encoding=br
c expects HEADERS stream=1 end
