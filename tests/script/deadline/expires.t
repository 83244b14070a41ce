# At the deadline the caller gets DEADLINE_EXCEEDED and the endpoint CANCEL, within 5 ms.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=250m end
e accepts
e expects HEADERS stream=1 grpc-timeout<=250m end
advance 249ms
c expects nothing
c expects HEADERS stream=1 end :status=200 grpc-status=4 within 6ms
e expects RST_STREAM stream=1 code=CANCEL
metric outrigger_local_answers_total{reason=DEADLINE_EXCEEDED} 1
