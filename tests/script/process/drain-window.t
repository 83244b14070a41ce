# SIGTERM: not ready, but for 5 s old and new connections are served as ever. Then nobody can connect, and those who are there
# are told to go. The deadline counts from the signal.
config
version: 1
admin: { listen: "127.0.0.1:9901" }
drain: { deadline: 8s }
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
terminate
admin 127.0.0.1:9901 /ready answers 503
advance 4990ms
c expects nothing
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
client late connects to 127.0.0.1:15001
late sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=5 end
e sends HEADERS stream=5 answer grpc-status=0 end
late expects HEADERS stream=1 end grpc-status=0
c expects GOAWAY last=2147483647 within 10ms
c expects PING
c expects GOAWAY last=3
late expects GOAWAY last=2147483647
late expects PING
late expects GOAWAY last=1
late expects close within 1ms
client refused connects to 127.0.0.1:15001
refused expects close within 1ms
advance 2900ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=14 grpc-status-details-bin~DRAINING within 200ms
e expects RST_STREAM stream=1 code=CANCEL
c expects close within 10ms
