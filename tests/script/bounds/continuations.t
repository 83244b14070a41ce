# A header block of more than 64 CONTINUATION frames ends the connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/a.B/C more
for i = 1 to 64 step 1: c sends CONTINUATION stream=1 more hex=82
c expects open
c sends CONTINUATION stream=1 more hex=82
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
