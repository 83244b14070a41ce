# 1,000 streams may be open on an outbound connection, since callers queue silently behind the limit.
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
c expects SETTINGS MAX_CONCURRENT_STREAMS=1000
for i = 1 to 1999 step 2: c sends HEADERS stream=$i call=/a.B/C end
e accepts
for i = 1 to 1999 step 2: e expects HEADERS stream=$i end
c sends HEADERS stream=2001 call=/a.B/C end
c expects RST_STREAM stream=2001 code=REFUSED_STREAM
