# `authority: NAME` is what the endpoint sees.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { service: one }
services:
  one: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, authority: payment.internal }
  two: { endpoints: { static: ["127.0.0.1:9002"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 :authority=payment.internal end
