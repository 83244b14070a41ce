# An endpoint that breaks off is looked up again after a second, long before the TTL is over; a name is asked no more often.
dns payment.shop has 127.0.0.1 ttl=300s
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off, policy: p }
policies:
  p: { limits: { pending_timeout: 5s } }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
advance 10ms
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
advance 30s
metric outrigger_discovery_updates_total{service=payment} 1
dns payment.shop has 127.0.0.2 ttl=300s
endpoint e closes
e resets
advance 1200ms
metric outrigger_discovery_updates_total{service=payment} 2
metric outrigger_discovery_changes_total{service=payment} 2
f accepts
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
f expects HEADERS stream=1 end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
endpoint f closes
f resets
advance 10s
metric outrigger_discovery_changes_total{service=payment} 2
