# A caller may send 65,535 bytes ahead; one more breaks its stream, not the connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
for i = 1 to 3 step 1: c sends DATA stream=1 size=16384
c sends DATA stream=1 size=16383
c expects nothing
metric outrigger_bound_reached_total{bound=stream_window,side=downstream} 0
c sends DATA stream=1 size=1
c expects RST_STREAM stream=1 code=FLOW_CONTROL_ERROR
metric outrigger_bound_reached_total{bound=stream_window,side=downstream} 1
e expects RST_STREAM stream=1 code=CANCEL
c expects open
