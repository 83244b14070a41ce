# Calls share one connection.
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
for i = 1 to 19 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
e accepts
for i = 1 to 19 step 2: e expects HEADERS stream=$i end
e accepts nothing
metric outrigger_upstream_connects_total 1
