# An endpoint that gives no window stops the caller: what is kept for the stream is no more than its window, and the caller
# gets window back only for what has left.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
c sends DATA stream=1 size=65535
e expects DATA stream=1 size=65535
c expects WINDOW_UPDATE stream=1
c sends DATA stream=1 size=32768
c sends WINDOW_UPDATE stream=0 n=1000000
e expects nothing
c expects no WINDOW_UPDATE stream=1
advance 10s
c expects no WINDOW_UPDATE stream=1
e sends WINDOW_UPDATE stream=0 n=100000
e expects nothing
e sends WINDOW_UPDATE stream=1 n=40000
e expects DATA stream=1 size=32768
c expects WINDOW_UPDATE stream=1
c sends DATA stream=1 end
e expects DATA stream=1 size=0 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=done
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 :status=200
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=0
