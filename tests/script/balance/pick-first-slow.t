# pick_first waits 250 ms for the first endpoint to connect, then tries the next beside it.
network to 127.0.0.1:9001 vanishes
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"] }, tls: off, balance: pick_first }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
endpoint g listens on 127.0.0.1:9003
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 249ms
f accepts nothing
advance 3ms
f accepts
f expects HEADERS stream=1
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
advance 300ms
g accepts nothing
