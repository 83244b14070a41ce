# In the mode audit a call that would be denied passes, and is counted.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow:
      mode: audit
      rules: [ { identity: "spiffe://shop.example/ns/shop/sa/order" } ]
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
client d connects to 127.0.0.1:8443 tls as payment
d sends HEADERS stream=1 call=/a.B/C end
e expects HEADERS stream=3 :path=/a.B/C end
e sends HEADERS stream=3 answer grpc-status=0 end
d expects HEADERS stream=1 end grpc-status=0
client h connects to 127.0.0.1:8443 tls as host
h sends HEADERS stream=1 call=/a.B/C end
e expects HEADERS stream=5 :path=/a.B/C end
e sends HEADERS stream=5 answer grpc-status=0 end
h expects HEADERS stream=1 end grpc-status=0
metric outrigger_allow_calls_total{decision=allowed} 1
metric outrigger_allow_calls_total{decision=audit_not_allowed} 1
metric outrigger_allow_calls_total{decision=audit_no_identity} 1
metric outrigger_allow_calls_total{decision=not_allowed} 0
metric outrigger_local_answers_total{reason=NOT_ALLOWED} 0
