# SIGINT: not ready; GOAWAY without an end, then, after the answer to a ping, one with the true last stream; calls under way
# end in peace; then the connection is closed.
config
version: 1
admin: { listen: "127.0.0.1:9901" }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 silent
c sends RAW text="PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
c sends SETTINGS
admin 127.0.0.1:9901 /ready answers 200
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
interrupt
c expects GOAWAY last=2147483647 code=NO_ERROR
c expects PING
admin 127.0.0.1:9901 /ready answers 503
admin 127.0.0.1:9901 /live answers 200
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=3 end
c expects nothing
c sends PING ack text=outriggr
c expects GOAWAY last=3 code=NO_ERROR
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge end
e expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c expects open
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
c expects close within 1ms
