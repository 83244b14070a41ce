# What is left of the deadline is forwarded, and nothing is invented when there is none.
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
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=1S end
e accepts
e expects HEADERS stream=1 grpc-timeout<=1000m grpc-timeout>=999m end
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge grpc-timeout=99999999H end
e expects HEADERS stream=3 !nothing end
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge grpc-timeout=150m end
e expects HEADERS stream=5 grpc-timeout<=150m grpc-timeout>=149m end
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge grpc-timeout=7000u end
e expects HEADERS stream=7 grpc-timeout<=7m grpc-timeout>=6900u end
c sends HEADERS stream=9 call=/pay.v1.Pay/Charge end
e expects HEADERS stream=9 !grpc-timeout end
