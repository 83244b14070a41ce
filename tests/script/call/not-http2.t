# HTTP/1.1 and garbage are closed at once, without an answer.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 silent
c sends RAW text="GET / HTTP/1.1\r\nHost: shop\r\n\r\n"
c expects close
client d connects to 127.0.0.1:15001 silent
d sends RAW hex=16030100a1010000
d expects close within 5ms
