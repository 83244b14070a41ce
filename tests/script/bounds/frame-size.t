# A frame of more than 16,384 bytes is a connection error.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/a.B/C
c sends RAW hex=004001000000000001
c expects GOAWAY code=FRAME_SIZE_ERROR
c expects close
