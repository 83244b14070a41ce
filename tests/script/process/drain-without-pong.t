# A caller that does not answer the ping gets its final GOAWAY after 1 s.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 silent
c sends RAW text="PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
c sends SETTINGS
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
interrupt
c expects GOAWAY last=2147483647
c expects PING
advance 999ms
c expects nothing
c expects GOAWAY last=1 code=NO_ERROR within 6ms
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c expects close within 1ms
