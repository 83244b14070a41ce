# A call that found no stream within pending_timeout of a connected endpoint ends as OVERLOADED.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: payment }
policies:
  payment: { limits: { pending_timeout: 500ms, max_connections_per_endpoint: 1 } }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
advance 499ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=8 grpc-status-details-bin~OVERLOADED within 6ms
e expects nothing
