# A reload that changes a policy keeps connections on both sides and calls under way; calls from now on meet the new one.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { timeout: 10s }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 grpc-timeout>=9S end
reload
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { timeout: 2s }
end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 grpc-timeout<=2S end
advance 2s
e expects RST_STREAM stream=3 code=CANCEL within 6ms
c expects HEADERS stream=3 end grpc-status=4
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
metric outrigger_upstream_connects_total 1
metric outrigger_config_generation 2
