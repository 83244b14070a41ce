# A change of INITIAL_WINDOW_SIZE moves the windows of open streams, below zero too.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=20
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=40
c expects HEADERS stream=1
c expects DATA stream=1 size=20
c sends SETTINGS INITIAL_WINDOW_SIZE=5
c sends WINDOW_UPDATE stream=1 n=10
c expects nothing
c sends SETTINGS INITIAL_WINDOW_SIZE=25
c expects DATA stream=1 size=15
c sends SETTINGS INITIAL_WINDOW_SIZE=100
c expects DATA stream=1 size=5
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
