# A connection that does not finish its TLS handshake is closed after 5 s.
config
version: 1
identity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }
inbound:
  - { listen: 127.0.0.1:8443, forward: 127.0.0.1:9001 }
end
client c connects to 127.0.0.1:8443 silent
c sends RAW hex=160301
advance 4900ms
c expects open
c expects close within 110ms
metric outrigger_bound_reached_total{bound=handshake_timeout,side=downstream} 1
