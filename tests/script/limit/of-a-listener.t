# Inbound each listener has limits of its own, even under one policy.
config
version: 1
inbound:
  - { listen: 127.0.0.1:8081, tls: off, forward: 127.0.0.1:9001, policy: p }
  - { listen: 127.0.0.1:8082, tls: off, forward: 127.0.0.1:9002, policy: p }
policies:
  p: { limits: { max_requests: 1 } }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:8081
client d connects to 127.0.0.1:8082
c sends HEADERS stream=1 call=/pay.v1.Pay/Get end
e accepts
e expects HEADERS stream=1
c sends HEADERS stream=3 call=/pay.v1.Pay/Get end
c expects HEADERS stream=3 end grpc-status=8 grpc-status-details-bin~OVERLOADED
d sends HEADERS stream=1 call=/pay.v1.Pay/Get end
f accepts
f expects HEADERS stream=1
d sends HEADERS stream=3 call=/pay.v1.Pay/Get end
d expects HEADERS stream=3 end grpc-status=8 grpc-status-details-bin~OVERLOADED
e sends HEADERS stream=1 answer grpc-status=0 end
f sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
d expects HEADERS stream=1 end grpc-status=0
