# Authorities are compared without case and port; a star at the end takes any rest; the first match wins.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes:
      - { authority: "pay*", service: one }
      - { authority: ["ledger", "pay.shop"], service: two }
services:
  one: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
  two: { endpoints: { static: ["127.0.0.1:9002"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
endpoint f listens on 127.0.0.1:9002
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 :method=POST :scheme=http :path=/pay.v1.Pay/Charge :authority=PAY.shop:8443 content-type=application/grpc te=trailers end
e accepts
e expects HEADERS stream=1 end
c sends HEADERS stream=3 :method=POST :scheme=http :path=/pay.v1.Pay/Charge :authority=Ledger:80 content-type=application/grpc te=trailers end
f accepts
f expects HEADERS stream=1 end
c sends HEADERS stream=5 :method=POST :scheme=http :path=/pay.v1.Pay/Charge :authority=other content-type=application/grpc te=trailers end
c expects HEADERS stream=5 end grpc-status=12 grpc-status-details-bin~NO_ROUTE
c sends HEADERS stream=7 :method=POST :scheme=http :path=/pay.v1.Pay/Charge :authority=ledgers content-type=application/grpc te=trailers end
c expects HEADERS stream=7 end grpc-status=12
