# A call whose breaker keeps it from the only endpoint with room waits for another one; those behind it do not.
network to 127.0.0.1:9002 vanishes
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, policy: p }
policies:
  p:
    circuit_breaker: { consecutive_failures: 1, open: { base: 30s, jitter: 0% } }
    limits: { max_connections_per_endpoint: 1 }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=1
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer grpc-status=14 end
c expects HEADERS stream=1 end grpc-status=14
c sends HEADERS stream=3 call=/pay.v1.Pay/List end
e expects HEADERS stream=3
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c sends HEADERS stream=7 call=/pay.v1.Pay/List end
c expects nothing
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e expects HEADERS stream=5 :path=/pay.v1.Pay/List
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
c expects HEADERS stream=5 end grpc-status=14 within 2s
