# 100 fields of metadata pass; with one more the call is refused, and the connection lives.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge fields=94 end
e accepts
e expects HEADERS stream=1 x-93=v end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge fields=95 end
c expects HEADERS stream=3 end grpc-status=8 grpc-message~"100 fields"
e expects nothing
metric outrigger_bound_reached_total{bound=header_fields,side=downstream} 1
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
