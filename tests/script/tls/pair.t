# Two sidecars: in the clear to the first, mTLS between them, in the clear to the service; metadata and deadline cross both.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001 }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: order } ]
services:
  order: { endpoints: { static: ["127.0.0.1:8443"] }, peer: { identity: "spiffe://shop.example/ns/shop/sa/order" }, tls: mutual }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=2S k-bin=AAEC end
e accepts
e expects HEADERS stream=1 k-bin=AAEC grpc-timeout<=2S :scheme=http end
e sends HEADERS stream=1 answer grpc-status=7 t-bin=/w end
c expects HEADERS stream=1 end grpc-status=7 t-bin=/w
