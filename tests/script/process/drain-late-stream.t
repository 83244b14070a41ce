# A stream that a caller opened before the final GOAWAY reached it is ignored, with its data; running calls end in peace.
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
e expects HEADERS stream=1 end
interrupt
c expects GOAWAY last=2147483647
c expects PING
c expects GOAWAY last=1
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge
c sends DATA stream=3 message=late end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge
c sends DATA stream=5 message=late
c sends WINDOW_UPDATE stream=5 n=100
c sends RST_STREAM stream=5 code=CANCEL
c expects nothing
c expects open
e expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c expects close within 1ms
