# A verified caller whose certificate bears no URI is UNAUTHENTICATED where identities are asked for; a rule without one
# takes it.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 127.0.0.1:8443
    forward: 127.0.0.1:9001
    allow:
      - { identity: "spiffe://shop.example/ns/shop/sa/order" }
      - { methods: "grpc.health.v1.Health/Check" }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as host
c sends HEADERS stream=1 call=/a.B/C end
c expects HEADERS stream=1 end grpc-status=16 grpc-status-details-bin~NO_IDENTITY !outrigger-unprocessed
c sends HEADERS stream=3 call=/grpc.health.v1.Health/Check end
e accepts
e expects HEADERS stream=1 :path=/grpc.health.v1.Health/Check end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=3 end grpc-status=0
e expects nothing
metric outrigger_allow_calls_total{decision=no_identity} 1
metric outrigger_allow_calls_total{decision=not_allowed} 0
metric outrigger_local_answers_total{reason=NO_IDENTITY} 1
