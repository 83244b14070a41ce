# An answer of our own is one block with status, message and details of the domain "outrigger".
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { authority: "payment", service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/pay.v1.Pay/Charge end
c expects HEADERS stream=1 end :status=200 content-type=application/grpc grpc-status=12 grpc-message~"no route" grpc-status-details-bin~outrigger grpc-status-details-bin~NO_ROUTE grpc-status-details-bin~google.rpc.ErrorInfo
metric outrigger_local_answers_total{reason="NO_ROUTE"} 1
