# A rule holds for callers from its networks; without TLS it may ask for nothing else about the peer.
config
version: 1
admin: { listen: 127.0.0.1:9901 }
inbound:
  - listen: 0.0.0.0:8080
    tls: off
    public: true
    forward: 127.0.0.1:9001
    allow:
      - { source: [ 10.0.0.0/8, 192.168.7.7 ], methods: "a.B/*" }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 10.1.2.3:8080
c sends HEADERS stream=1 call=/a.B/C end
e accepts
e expects HEADERS stream=1 :path=/a.B/C end
e sends HEADERS stream=1 answer grpc-status=0 end
c expects HEADERS stream=1 end grpc-status=0
c sends HEADERS stream=3 call=/a.C/C end
c expects HEADERS stream=3 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
client d connects to 11.1.2.3:8080
d sends HEADERS stream=1 call=/a.B/C end
d expects HEADERS stream=1 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed grpc-message~"this caller"
client g connects to 192.168.7.7:8080
g sends HEADERS stream=1 call=/a.B/C end
e expects HEADERS stream=3 :path=/a.B/C end
e sends HEADERS stream=3 answer grpc-status=0 end
g expects HEADERS stream=1 end grpc-status=0
client h connects to 192.168.7.8:8080
h sends HEADERS stream=1 call=/a.B/C end
h expects HEADERS stream=1 end grpc-status=7 grpc-status-details-bin~NOT_ALLOWED !outrigger-unprocessed
e expects nothing
metric outrigger_allow_calls_total{decision=allowed} 2
metric outrigger_allow_calls_total{decision=not_allowed} 3
