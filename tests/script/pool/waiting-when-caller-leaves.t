# A caller that closes its connection takes its waiting calls with it: the endpoint sees none of them.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_connections_per_endpoint: 1, pending_timeout: 30s } }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=1
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
c sends DATA stream=1 message=hello end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 message=hello end
for i = 3 to 39 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge
for i = 3 to 39 step 2: c sends DATA stream=$i message=hello end
e expects nothing
c closes
e expects RST_STREAM stream=1 code=CANCEL
e expects nothing
advance 1s
e expects nothing
client d connects to 127.0.0.1:15001
d sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
e sends HEADERS stream=3 answer grpc-status=0 end
d expects HEADERS stream=1 end grpc-status=0
