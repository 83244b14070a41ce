# A listener that is new in the file serves at once.
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
client x connects to 127.0.0.1:15002
x expects close "Connection refused"
reload
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
  - listen: 127.0.0.1:15002
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client d connects to 127.0.0.1:15002
d sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
c expects open
c expects nothing
e sends HEADERS stream=1 answer grpc-status=0 end
d expects HEADERS stream=1 end grpc-status=0
