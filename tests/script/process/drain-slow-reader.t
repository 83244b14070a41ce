# A drain waits for a caller that reads late: all data and the trailers of the last call reach it before the connection ends.
network to 127.0.0.1:15001 holds=4096
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
interrupt
c expects GOAWAY last=2147483647
c expects PING
c expects GOAWAY last=1
c stops
e sends HEADERS stream=1 answer
e sends DATA stream=1 size=40000
e sends HEADERS stream=1 grpc-status=0 end
advance 5s
c reads
c expects HEADERS stream=1 :status=200
c expects DATA stream=1 size=40000
c expects HEADERS stream=1 end grpc-status=0
c expects close within 1ms
