# Whole messages that came before an endpoint forgets the status, resets the stream or loses the connection reach a caller
# whose window is small, and then the status.
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
e sends DATA stream=1 message=@10
e sends DATA stream=1 message=@10 end
c expects HEADERS stream=1
c expects DATA stream=1 size=10
c expects nothing
c sends WINDOW_UPDATE stream=1 n=1000
c expects DATA stream=1 size=20
c expects HEADERS stream=1 end grpc-status=2
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3
e sends HEADERS stream=3 answer
e sends DATA stream=3 message=@10
e sends DATA stream=3 message=@10
e sends RST_STREAM stream=3 code=REFUSED_STREAM
c expects HEADERS stream=3
c expects DATA stream=3 size=10
c expects nothing
c sends WINDOW_UPDATE stream=3 n=1000
c expects DATA stream=3 size=20
c expects HEADERS stream=3 end grpc-status=14
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=5
e sends HEADERS stream=5 answer
e sends DATA stream=5 message=@10
e sends DATA stream=5 message=@10
c expects HEADERS stream=5
c expects DATA stream=5 size=10
e closes
c expects nothing
c sends WINDOW_UPDATE stream=5 n=1000
c expects DATA stream=5 size=20
c expects HEADERS stream=5 end grpc-status=14
