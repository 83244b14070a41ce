# A call whose deadline passes in the queue is answered, and never sent.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001 settings MAX_CONCURRENT_STREAMS=0
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=100m end
e accepts
advance 99ms
c expects nothing
c expects HEADERS stream=1 end grpc-status=4 grpc-message~"before the call was sent" within 6ms
e sends SETTINGS MAX_CONCURRENT_STREAMS=10
advance 10ms
e expects nothing
