# round_robin gives each endpoint its turn, beginning anywhere.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: round_robin }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 1ms
for i = 3 to 19 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
e accepts
f accepts
g accepts
for i = 1 to 7 step 2: e expects HEADERS stream=$i
for i = 1 to 5 step 2: f expects HEADERS stream=$i
for i = 1 to 5 step 2: g expects HEADERS stream=$i
