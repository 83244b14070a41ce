# Without any answer calls end when their time in the queue is over, not before, and the message says why.
dns payment.shop fails servfail
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { dns: "payment.shop:9001" }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
advance 990ms
c expects no HEADERS stream=1
c expects HEADERS stream=1 end grpc-status=14 grpc-message~payment.shop:9001 grpc-status-details-bin~NO_ENDPOINT within 20ms
metric outrigger_discovery_failures_total{service=payment,reason=servfail} 1
