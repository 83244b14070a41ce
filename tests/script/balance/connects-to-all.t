# A balancer that spreads calls connects to every endpoint, not to the first alone.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: random }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 1ms
metric outrigger_upstream_connects_total 3
e accepts
f accepts
g accepts
e expects HEADERS stream=1 end
