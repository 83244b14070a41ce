# A deadline that passes with a message under way cancels the stream: trailers behind a cut message would be read as
# INTERNAL. The message is cut where the endpoint has not sent the rest, or where the caller's window ended.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=250m end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=whole
e sends DATA stream=1 hex=0000000064 text=part
c expects HEADERS stream=1
c expects DATA stream=1 size=19
advance 249ms
c expects nothing
c expects RST_STREAM stream=1 code=CANCEL within 6ms
e expects RST_STREAM stream=1 code=CANCEL
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge grpc-timeout=250m end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer
e sends DATA stream=3 message=@30
c expects HEADERS stream=3
c expects DATA stream=3 size=20
advance 249ms
c expects nothing
c expects RST_STREAM stream=3 code=CANCEL within 6ms
e expects RST_STREAM stream=3 code=CANCEL
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge grpc-timeout=250m end
e expects HEADERS stream=5 end
e sends HEADERS stream=5 answer
e sends DATA stream=5 hex=000000
c expects HEADERS stream=5
c expects DATA stream=5 size=3
c expects RST_STREAM stream=5 code=CANCEL within 256ms
e expects RST_STREAM stream=5 code=CANCEL
