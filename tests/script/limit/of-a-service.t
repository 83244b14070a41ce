# Two services under one policy have limits of their own.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { methods: ["pay.v1.Ledger/*"], service: ledger }
      - { service: payment }
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off, policy: p }
  ledger: { endpoints: { static: ["127.0.0.1:9002"] }, tls: off, policy: p }
policies:
  p:
    limits: { max_requests: 2 }
    circuit_breaker: { consecutive_failures: 1, scope: service, open: { base: 1s, jitter: 0% } }
    methods: { pay.v1.Pay/Get: { retry: { max_attempts: 2, on: [UNAVAILABLE] } } }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
e expects HEADERS stream=3
c sends HEADERS stream=5 call=/pay.v1.Pay/Get end
c expects HEADERS stream=5 end grpc-status=8 grpc-status-details-bin~OVERLOADED
c sends HEADERS stream=7 call=/pay.v1.Ledger/Book end
f accepts
f expects HEADERS stream=1
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=7 end grpc-status=0
e sends HEADERS stream=1 answer grpc-status=0 end
e sends HEADERS stream=3 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c expects HEADERS stream=3 end grpc-status=0
