# What is kept of a request between two attempts stays within its cap: the caller gets no window back while it is all kept,
# and 60 KB are sent again.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_connections_per_endpoint: 1, pending_timeout: 30s } }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=1000000
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
c sends DATA stream=1 size=60000
e accepts
e sends WINDOW_UPDATE stream=0 n=1000000
e expects HEADERS stream=1
e expects DATA stream=1 size=60000
c expects no WINDOW_UPDATE stream=1
e sends SETTINGS MAX_CONCURRENT_STREAMS=0
e sends RST_STREAM stream=1 code=REFUSED_STREAM
c sends DATA stream=1 size=5535
c expects no WINDOW_UPDATE stream=1
advance 1s
c expects no WINDOW_UPDATE stream=1
e expects nothing
e sends SETTINGS MAX_CONCURRENT_STREAMS=1
e expects HEADERS stream=3
e expects DATA stream=3 size=65535
c expects WINDOW_UPDATE stream=1
c sends DATA stream=1 size=10 end
e expects DATA stream=3 size=10 end
e sends RST_STREAM stream=3 code=REFUSED_STREAM
c expects HEADERS stream=1 end grpc-status=14
e expects nothing
