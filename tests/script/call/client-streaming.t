# Messages of the caller arrive one by one, before the caller has ended.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge
e accepts
e expects HEADERS stream=1 open
c sends DATA stream=1 message=one
e expects DATA stream=1 message=one
advance 10s
c sends DATA stream=1 message=two
e expects DATA stream=1 message=two
c sends DATA stream=1 end
e expects DATA stream=1 size=0 end
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=done
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 :status=200
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=0
