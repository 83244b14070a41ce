# An endpoint behind an inbound listener may send ahead a share of half of connection_buffer; callers that take the answer let it send more, until the other half is lent.
config
version: 1
bounds: { connection_buffer: 64KiB, max_concurrent_streams: 4 }
inbound: [ { listen: 127.0.0.1:15001, tls: off, forward: 127.0.0.1:9001 } ]
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=0
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects SETTINGS INITIAL_WINDOW_SIZE=8192
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=8192
c expects HEADERS stream=1
c expects nothing
e expects no WINDOW_UPDATE stream=1
metric outrigger_bound_reached_total{bound=stream_window,side=upstream} 0
e sends DATA stream=1 size=1
e expects RST_STREAM stream=1 code=FLOW_CONTROL_ERROR
metric outrigger_bound_reached_total{bound=stream_window,side=upstream} 1
c forgets
c sends WINDOW_UPDATE stream=0 n=1000000
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
c sends WINDOW_UPDATE stream=3 n=500000
e expects HEADERS stream=3
e sends HEADERS stream=3 answer
e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=20480
for i = 1 to 3 step 1: e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=20480
for i = 1 to 4 step 1: e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=20480
for i = 1 to 5 step 1: e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=22528
for i = 1 to 5 step 1: e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=21504
metric outrigger_bound_reached_total{bound=connection_buffer,side=downstream} 0
for i = 1 to 5 step 1: e sends DATA stream=3 size=4096
e expects WINDOW_UPDATE stream=3 n=20480
metric outrigger_bound_reached_total{bound=connection_buffer,side=downstream} 1
c forgets
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
c sends WINDOW_UPDATE stream=5 n=100000
e expects HEADERS stream=5
e sends HEADERS stream=5 answer
e sends DATA stream=5 size=4096
e expects WINDOW_UPDATE stream=5 n=4096
metric outrigger_bound_reached_total{bound=connection_buffer,side=downstream} 2
c expects HEADERS stream=5
c expects DATA stream=5 size=4096
e sends HEADERS stream=3 grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e sends DATA stream=5 size=4096
e expects WINDOW_UPDATE stream=5 n=20480
c expects DATA stream=5 size=4096
e sends HEADERS stream=5 grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
