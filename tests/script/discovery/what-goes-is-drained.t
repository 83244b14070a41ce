# What goes is drained: a call on it ends there, the next goes to what came. What stays keeps its connection.
dns payment.shop has 127.0.0.1 127.0.0.3 ttl=5s
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off, balance: round_robin }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
endpoint g listens on 127.0.0.3:9001
client c connects to 127.0.0.1:15001
advance 10ms
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
g accepts
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=1 end
g expects HEADERS stream=1 end
dns payment.shop has 127.0.0.2 127.0.0.3 ttl=5s
f accepts within 6s
e expects open
for i = 5 to 11 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
f expects HEADERS stream=1 end
f expects HEADERS stream=3 end
g expects HEADERS stream=3 end
g expects HEADERS stream=5 end
e expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
e expects close within 1ms
for i = 1 to 3 step 2: f sends HEADERS stream=$i answer grpc-status=0 end
for i = 1 to 5 step 2: g sends HEADERS stream=$i answer grpc-status=0 end
for i = 1 to 11 step 2: c expects HEADERS stream=$i end grpc-status=0
metric outrigger_endpoint_attempts_active{service=payment,endpoint=127.0.0.2:9001} 0
metric outrigger_endpoint_attempts_active{service=payment,endpoint=127.0.0.3:9001} 0
