# That a call was not processed is told to callers with a certificate only, who are sidecars.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001 }
  - { listen: 127.0.0.1:8444, forward: 127.0.0.1:9001, tls: server }
  - { listen: 127.0.0.1:8445, forward: 127.0.0.1:9001, tls: off }
end
client c connects to 127.0.0.1:8443 tls as order
c sends HEADERS stream=1 call=/a.B/C end
c expects HEADERS stream=1 end grpc-status=14 outrigger-unprocessed=1 within 10s
client d connects to 127.0.0.1:8444 tls
d sends HEADERS stream=1 call=/a.B/C end
d expects HEADERS stream=1 end grpc-status=14 !outrigger-unprocessed within 10s
client x connects to 127.0.0.1:8445
x sends HEADERS stream=1 call=/a.B/C end
x expects HEADERS stream=1 end grpc-status=14 !outrigger-unprocessed within 10s
