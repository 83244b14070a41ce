# Each attempt sends the request from its first byte, as its own windows allow.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
policies:
  p:
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 100ms, max: 1s } } } }
end
endpoint e listens on 127.0.0.1:9001 settings INITIAL_WINDOW_SIZE=10
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get
c sends DATA stream=1 message=abcdefghijklmnopqrst end
e accepts
e expects HEADERS stream=1
e expects DATA stream=1 text="\x00\x00\x00\x00\x14abcde"
e sends WINDOW_UPDATE stream=1 n=4
e expects DATA stream=1 text=fghi
e sends HEADERS stream=1 answer grpc-status=14 end
e expects RST_STREAM stream=1 code=NO_ERROR
e expects HEADERS stream=3 within 121ms
e expects DATA stream=3 text="\x00\x00\x00\x00\x14abcde"
e sends WINDOW_UPDATE stream=3 n=5
e expects DATA stream=3 text=fghij
e sends WINDOW_UPDATE stream=3 n=100
e expects DATA stream=3 text=klmnopqrst end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
