# pick_first uses the first endpoint that can be reached, and stays with it.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: pick_first }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
for i = 1 to 9 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
e accepts
for i = 1 to 9 step 2: e expects HEADERS stream=$i
f accepts nothing
g accepts nothing
