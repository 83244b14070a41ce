# Connections to endpoints of a service are made few at a time.
config
version: 1
bounds: { connecting: 1 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.2:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 silent
endpoint f listens on 127.0.0.2:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts as a
f accepts nothing
metric outrigger_bound_reached_total{bound=connecting,side=upstream} 1
a sends SETTINGS
f accepts as b
a expects HEADERS stream=1 end
a sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
