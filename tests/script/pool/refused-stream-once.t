# REFUSED_STREAM: sent again elsewhere, once; the second refusal is the answer.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: round_robin }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
endpoint f listens on 127.0.0.1:9002
advance 1s
f accepts
e sends RST_STREAM stream=1 code=REFUSED_STREAM
f expects HEADERS stream=1 end
f sends RST_STREAM stream=1 code=REFUSED_STREAM
c expects HEADERS stream=1 end grpc-status=14
e expects nothing
metric outrigger_transparent_retries_total{cause=refused} 2
