# A request of more than 64 KiB is not kept: REFUSED_STREAM is then the answer.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: pick_first }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=1000000
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
c sends DATA stream=1 size=65535
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 size=65535
c sends DATA stream=1 size=2 end
e sends WINDOW_UPDATE stream=0 n=10000
e expects DATA stream=1 size=2 end
e sends RST_STREAM stream=1 code=REFUSED_STREAM
c expects HEADERS stream=1 end grpc-status=14
f accepts nothing
