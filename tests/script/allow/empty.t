# An empty list lets nobody through.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
admin: { listen: 127.0.0.1:9901 }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001, allow: [] }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
c expects HEADERS stream=1 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
e accepts nothing
