# Nothing that a server can say wrong takes the last good endpoints away; look-ups go on, ever more slowly.
dns payment.shop has 127.0.0.1 ttl=10s
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
advance 1s
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
dns payment.shop fails nxdomain
advance 59m
metric outrigger_discovery_endpoints{service=payment} 1
metric outrigger_discovery_updates_total{service=payment} 1
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
dns payment.shop has
advance 59m
metric outrigger_discovery_endpoints{service=payment} 1
dns payment.shop has 127.0.0.2 ttl=10s
advance 33s
e expects close
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
f accepts within 10ms
f expects HEADERS stream=1 end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
metric outrigger_discovery_changes_total{service=payment} 2
