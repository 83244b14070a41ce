# A caller whose connection breaks cancels all its calls.
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
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1
e expects HEADERS stream=3
c resets
e expects RST_STREAM stream=1 code=CANCEL
e expects RST_STREAM stream=3 code=CANCEL
