# A HEADERS frame without a byte of the block is legal: all of it comes in CONTINUATION (RFC 9113 section 6.2).
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
c sends HEADERS stream=1 more end
c expects open
c sends CONTINUATION stream=1 more
c sends CONTINUATION stream=1 hex=8386 text="\x04\x06/a.B/C\x01\x04shop" hex=0f1010 text=application/grpc hex=00 text="\x02te\x08trailers"
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 more
e sends CONTINUATION stream=1 hex=880f1010 text=application/grpc
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 :status=200 content-type=application/grpc
c expects HEADERS stream=1 end grpc-status=0
