# A split gives each service its share of the calls.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { split: { one: 3, two: 1 } }
services:
  one: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
  two: { endpoints: { static: ["127.0.0.1:9002"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
for i = 1 to 1999 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
e accepts
f accepts
for i = 1 to 1401 step 2: e expects HEADERS stream=$i
for i = 1 to 401 step 2: f expects HEADERS stream=$i
e forgets
f forgets
