# Of a thousand streams that we must reset, 750 bring GOAWAY and the last the end; honest streams go on until then.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
for i = 3 to 1499 step 2: c sends HEADERS stream=$i call=/a.B/C connection=x
for i = 3 to 1499 step 2: c expects RST_STREAM stream=$i code=PROTOCOL_ERROR
metric outrigger_bound_reached_total{bound=stream_errors,side=downstream} 0
c sends HEADERS stream=1501 call=/a.B/C connection=x
c expects RST_STREAM stream=1501 code=PROTOCOL_ERROR
c expects GOAWAY last=1501 code=NO_ERROR
metric outrigger_bound_reached_total{bound=stream_errors,side=downstream} 1
for i = 1503 to 2001 step 2: c sends HEADERS stream=$i call=/a.B/C connection=x
c expects open
c sends HEADERS stream=2003 call=/a.B/C connection=x
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=stream_errors,side=downstream} 2
e forgets
