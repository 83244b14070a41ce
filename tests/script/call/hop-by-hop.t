# Fields of one connection do not cross: our own names towards the service, host, the certificate that a proxy vouches for;
# a request with `connection` is no HTTP/2 at all.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge host=other x-forwarded-client-cert=By=me outrigger-unprocessed=1 outrigger-x=2 user-agent=grpc-c end
e accepts
e expects HEADERS stream=1 !host !x-forwarded-client-cert !outrigger-unprocessed !outrigger-x user-agent=grpc-c :authority=shop
c sends HEADERS stream=3 call=/a.B/C connection=close end
c expects RST_STREAM stream=3 code=PROTOCOL_ERROR
e sends HEADERS stream=1 answer
e sends DATA stream=1 message=done
e sends HEADERS stream=1 grpc-status=0 end
c expects HEADERS stream=1 :status=200
c expects DATA stream=1 message=done
c expects HEADERS stream=1 end grpc-status=0
