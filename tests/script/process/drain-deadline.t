# Calls that have not ended 30 s after the signal are answered UNAVAILABLE, DRAINING.
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
e expects nothing
advance 29900ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=14 grpc-status-details-bin~DRAINING within 200ms
e expects RST_STREAM stream=1 code=CANCEL
c expects close within 10ms
