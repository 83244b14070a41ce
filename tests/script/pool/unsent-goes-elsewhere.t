# C2: A call of which no byte was offered to the socket goes elsewhere when its connection breaks: the endpoint has stopped
# reading, so that the HEADERS wait behind other data in us.
network to 127.0.0.1:9001 holds=4096
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001", "127.0.0.1:9002"] }, tls: off, balance: pick_first }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=1000000
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1
e stops
c sends DATA stream=1 size=30000
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
advance 1ms
endpoint e closes
e resets
c expects HEADERS stream=1 end grpc-status=14
c expects RST_STREAM stream=1 code=NO_ERROR
f accepts
f expects HEADERS stream=1 end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
metric outrigger_transparent_retries_total{cause=unsent} 1
