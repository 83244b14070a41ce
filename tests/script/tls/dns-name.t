# With `peer: { dns }` the DNS name of the certificate is checked.
config
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { dns: payment.shop } }
end
endpoint e listens on 127.0.0.1:9001 tls as payment
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
reload
version: 1
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: mutual, peer: { dns: ledger.shop } }
end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=3 end grpc-status=14 grpc-message~"not for the DNS name"
e expects nothing
