# Another list holds for the next call of a connection that is open; a call that passed goes on.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/a.B/C
e expects HEADERS stream=3
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow: { rules: [ { identity: "spiffe://shop.example/ns/shop/sa/payment" } ] }
end
c sends HEADERS stream=5 call=/a.B/C end
c expects HEADERS stream=5 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
c sends DATA stream=3 message=x end
e expects DATA stream=3 message=x end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow: { rules: [ { identity: "spiffe://shop.example/ns/shop/sa/order" } ] }
end
c sends HEADERS stream=7 call=/a.B/C end
e expects HEADERS stream=5 :path=/a.B/C end
e sends HEADERS stream=5 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow: { mode: audit, rules: [ { identity: "spiffe://shop.example/ns/shop/sa/payment" } ] }
end
c sends HEADERS stream=9 call=/a.B/C end
e expects HEADERS stream=7 :path=/a.B/C end
e sends HEADERS stream=7 answer grpc-status=0 end
c expects HEADERS stream=9 end grpc-status=0
reload
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow: { mode: enforce, rules: [ { identity: "spiffe://shop.example/ns/shop/sa/payment" } ] }
end
c sends HEADERS stream=11 call=/a.B/C end
c expects HEADERS stream=11 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
e expects nothing
