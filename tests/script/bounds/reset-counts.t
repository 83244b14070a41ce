# A stream that was reset counts until the end of its attempt was written to the endpoint.
config
version: 1
bounds: { max_concurrent_streams_outbound: 1 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
network to 127.0.0.1:9001 holds=1024
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/a.B/C
e accepts
e expects HEADERS stream=1
e stops
c sends DATA stream=1 size=3000
advance 1ms
c sends RST_STREAM stream=1 code=CANCEL
c sends HEADERS stream=3 call=/a.B/C
c expects RST_STREAM stream=3 code=REFUSED_STREAM
e reads
e expects DATA stream=1 size=3000
e expects RST_STREAM stream=1 code=CANCEL
c sends HEADERS stream=5 call=/a.B/C
e expects HEADERS stream=3
metric outrigger_bound_reached_total{bound=max_concurrent_streams,side=downstream} 1
