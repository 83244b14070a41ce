# The time in the queue counts: what is forwarded is what is left when the attempt is written.
network to 127.0.0.1:9001 latency=200ms
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=1S end
e accepts within 300ms
e expects HEADERS stream=1 end grpc-timeout<=600m grpc-timeout>=590m within 500ms
