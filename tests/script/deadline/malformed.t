# A grpc-timeout that is none is answered at once, whatever it looks like.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge grpc-timeout=1 end
c expects HEADERS stream=1 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=3 call=/pay.v1.Pay/Charge grpc-timeout=1s end
c expects HEADERS stream=3 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=5 call=/pay.v1.Pay/Charge grpc-timeout=S end
c expects HEADERS stream=5 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=7 call=/pay.v1.Pay/Charge grpc-timeout=-1S end
c expects HEADERS stream=7 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=9 call=/pay.v1.Pay/Charge grpc-timeout=+1S end
c expects HEADERS stream=9 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=11 call=/pay.v1.Pay/Charge grpc-timeout=1.5S end
c expects HEADERS stream=11 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=13 call=/pay.v1.Pay/Charge grpc-timeout=123456789S end
c expects HEADERS stream=13 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=15 call=/pay.v1.Pay/Charge grpc-timeout=1SS end
c expects HEADERS stream=15 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=17 call=/pay.v1.Pay/Charge grpc-timeout=0x1S end
c expects HEADERS stream=17 end :status=400 grpc-status=13 grpc-message~grpc-timeout
c sends HEADERS stream=19 call=/pay.v1.Pay/Charge grpc-timeout=1S grpc-timeout=1S end
c expects HEADERS stream=19 end :status=400 grpc-status=13 grpc-message~grpc-timeout
