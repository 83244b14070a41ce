# Methods are matched one by one or by service.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { methods: ["pay.v1.Pay/Charge"], service: one }
      - { methods: ["pay.v1.Pay/*"], service: two }
services:
  one: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
  two: { endpoints: { static: ["127.0.0.1:9002"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
f accepts
f expects HEADERS stream=1 end
c sends HEADERS stream=5 call=/pay.v1.Payment/Get end
c expects HEADERS stream=5 end grpc-status=12
