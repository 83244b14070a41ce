# An attempt that finds no room waits in the queue like a first one, and goes when there is room.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
    limits: { max_connections_per_endpoint: 1 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends SETTINGS MAX_CONCURRENT_STREAMS=1
e sends HEADERS stream=1 answer grpc-status=14 end
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3 !grpc-previous-rpc-attempts
advance 200ms
e expects nothing
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e expects HEADERS stream=5 grpc-previous-rpc-attempts=1
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
