# When a connection is lost, its place is free: a call that waits gets a new connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { max_connections_per_endpoint: 2, pending_timeout: 10s } }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=1
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts as e1
e1 expects HEADERS stream=1 end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e accepts as e2
e2 expects HEADERS stream=1 end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e accepts nothing
e1 resets
c expects HEADERS stream=1 end grpc-status=14
e accepts as e3
e3 expects HEADERS stream=1 end
e3 sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=5 end grpc-status=0
