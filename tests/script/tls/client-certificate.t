# An inbound listener wants a certificate of a trusted authority: with it the call goes on in the clear, without it the handshake
# fails.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
client d connects to 127.0.0.1:8443 tls
d expects close
client x connects to 127.0.0.1:8443 tls as stranger
x expects close
