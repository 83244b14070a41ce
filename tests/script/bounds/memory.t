# At 92 % of the memory new streams are refused with GOAWAY; at 95 % nothing is accepted and stalled answers are reset; below, all goes on.
config
version: 1
bounds: { memory: 100MiB }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=0
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=100
c expects HEADERS stream=1
memory 96468990
advance 1s
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
memory 96700000
advance 1s
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
c expects GOAWAY last=2147483647 code=NO_ERROR
c expects PING
c expects RST_STREAM stream=5 code=REFUSED_STREAM
c forgets
e expects nothing
metric outrigger_bound_reached_total{bound=stalled_stream,side=downstream} 0
memory 99900000
advance 1s
c forgets
e expects RST_STREAM stream=1 code=CANCEL
metric outrigger_bound_reached_total{bound=stalled_stream,side=downstream} 1
client d connects to 127.0.0.1:15001 silent
d expects nothing
memory 50000000
advance 1s
d expects SETTINGS
d expects close within 6s
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c expects close
