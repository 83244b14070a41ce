# 100 streams may be open on an inbound connection; the 101st is refused, and the others go on.
config
version: 1
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8080
c expects SETTINGS MAX_CONCURRENT_STREAMS=100
for i = 1 to 199 step 2: c sends HEADERS stream=$i call=/a.B/C end
e accepts
for i = 1 to 199 step 2: e expects HEADERS stream=$i end
c sends HEADERS stream=201 call=/a.B/C end
c expects RST_STREAM stream=201 code=REFUSED_STREAM
metric outrigger_bound_reached_total{bound=max_concurrent_streams,side=downstream} 1
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=203 call=/a.B/C end
e expects HEADERS stream=201 end
