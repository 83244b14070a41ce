# The policy's timeout holds without a grpc-timeout, and the shorter of both otherwise; methods have their own.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { timeout: 300ms, methods: { pay.v1.Pay/Fast: { timeout: 100ms } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 grpc-timeout<=300m grpc-timeout>=299m end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge grpc-timeout=200m end
e expects HEADERS stream=3 grpc-timeout<=200m grpc-timeout>=199m end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge grpc-timeout=9S end
e expects HEADERS stream=5 grpc-timeout<=300m end
c sends HEADERS stream=7 call=/pay.v1.Pay/Fast end
e expects HEADERS stream=7 grpc-timeout<=100m
advance 99ms
c expects nothing
c expects HEADERS stream=7 end grpc-status=4 within 6ms
e expects RST_STREAM stream=7 code=CANCEL
c expects HEADERS stream=3 end grpc-status=4 within 110ms
c expects HEADERS stream=1 end grpc-status=4 within 110ms
c expects HEADERS stream=5 end grpc-status=4
e expects RST_STREAM stream=3
e expects RST_STREAM stream=1
e expects RST_STREAM stream=5
