# An answer of which the caller takes nothing for 30 s is reset, and so is its attempt.
config
version: 1
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
advance 29900ms
c expects nothing
c sends WINDOW_UPDATE stream=1 n=1
c expects DATA stream=1 size=1
advance 29s
c expects nothing
metric outrigger_bound_reached_total{bound=stalled_stream,side=downstream} 0
c expects RST_STREAM stream=1 code=ENHANCE_YOUR_CALM within 2s
e expects RST_STREAM stream=1 code=CANCEL
metric outrigger_bound_reached_total{bound=stalled_stream,side=downstream} 1
