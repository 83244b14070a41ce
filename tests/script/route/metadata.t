# A route with metadata takes only calls that have it, with that value.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { metadata: { x-canary: "1" }, service: two }
      - { service: one }
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
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge x-canary=1 end
f accepts
f expects HEADERS stream=1 end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge x-canary=2 end
e expects HEADERS stream=3 end
