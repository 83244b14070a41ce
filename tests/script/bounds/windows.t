# Windows are settings: a stream of 128 KiB, one byte more breaks it; what came on the connection is given back at half of its 64 KiB.
config
version: 1
bounds: { stream_window: 128KiB, connection_window: 64KiB }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=0
client c connects to 127.0.0.1:15001
c expects SETTINGS INITIAL_WINDOW_SIZE=131072
c expects WINDOW_UPDATE stream=0 n=1
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
c sends DATA stream=1 size=16384
c expects nothing
c sends DATA stream=1 size=16384
c expects WINDOW_UPDATE stream=0 n=32768
for i = 1 to 6 step 1: c sends DATA stream=1 size=16384
for i = 1 to 3 step 1: c expects WINDOW_UPDATE stream=0 n=32768
c sends DATA stream=1 size=1
c expects RST_STREAM stream=1 code=FLOW_CONTROL_ERROR
metric outrigger_bound_reached_total{bound=stream_window,side=downstream} 1
e expects RST_STREAM stream=1 code=CANCEL
c expects open
