# gRPC libraries ping after data to measure what a connection carries: those pings are not counted, others are.
config
version: 1
bounds: { pings: { burst: 2, per_second: 1 } }
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8080
c sends HEADERS stream=1 call=/pay.v1.Pay/Watch end
e accepts
e expects HEADERS stream=1
e sends HEADERS stream=1 answer
c expects HEADERS stream=1
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
e sends DATA stream=1 message=x
c expects DATA stream=1 size=6
c sends PING
c expects PING
c sends PING
c expects PING
c sends PING
c expects PING
c sends PING
c expects GOAWAY code=11
c expects close
e expects RST_STREAM stream=1
