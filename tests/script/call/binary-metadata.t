# Metadata goes through byte for byte and in order: -bin values with and without padding, several of a name, empty ones.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge a-bin=AAECAw a-bin=AAECAw== b-bin=/+8= x-one=1 x-one=2 x-none= end
e accepts
e expects HEADERS stream=1 a-bin=AAECAw a-bin=AAECAw== b-bin=/+8= x-one=1 x-one=2 x-none=
e sends HEADERS stream=1 answer r-bin=//79
e sends HEADERS stream=1 grpc-status=0 t-bin=AA grpc-status-details-bin=CAUSAm5v end
c expects HEADERS stream=1 r-bin=//79
c expects HEADERS stream=1 end t-bin=AA grpc-status-details-bin=CAUSAm5v
