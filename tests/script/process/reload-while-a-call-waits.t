# A reload that makes the connections of a service anew strands no call: one that waits for its next attempt is sent
# again through what it began with, which closes when it is over.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p: { methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 1s, max: 1s } } } } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 message=x end
e accepts as old
old expects HEADERS stream=1
old expects DATA stream=1 message=x end
old sends HEADERS stream=1 answer grpc-status=14 end
reload
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, authority: pay.shop, policy: p }
policies:
  p: { methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 1s, max: 1s } } } } }
end
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e accepts as new
new expects HEADERS stream=1 :authority=pay.shop
new sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
old expects HEADERS stream=3 grpc-previous-rpc-attempts=1 within 1300ms
old expects DATA stream=3 message=x end
old sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
old expects close within 10ms
new expects open
