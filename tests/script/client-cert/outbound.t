# An application cannot pass a certificate for another one's: what it sends in x-forwarded-client-cert stays here.
config
version: 1
outbound: [ { listen: 127.0.0.1:15001, routes: [ { service: s } ] } ]
services: { s: { endpoints: { static: [ "127.0.0.1:9001" ] }, tls: off } }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/a.B/C x-forwarded-client-cert=URI=spiffe://shop.example/ns/shop/sa/admin end
e accepts
e expects HEADERS stream=1 !x-forwarded-client-cert end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
