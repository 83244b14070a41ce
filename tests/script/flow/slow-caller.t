# A caller that gives no window stops the endpoint, and its trailers wait behind the data.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=10
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=30
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1
c expects DATA stream=1 size=10
c expects nothing
e expects no WINDOW_UPDATE stream=1
c sends WINDOW_UPDATE stream=1 n=15
c expects DATA stream=1 size=15
c sends WINDOW_UPDATE stream=1 n=1000
c expects DATA stream=1 size=5
c expects HEADERS stream=1 end grpc-status=0
