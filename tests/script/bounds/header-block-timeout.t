# A header block may take 10 s from its first byte to its last.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
c sends HEADERS stream=1 call=/a.B/C more
advance 5s
c sends CONTINUATION stream=1 more hex=82
advance 4900ms
c expects open
metric outrigger_bound_reached_total{bound=header_block_timeout,side=downstream} 0
c expects GOAWAY code=ENHANCE_YOUR_CALM within 1200ms
c expects close
metric outrigger_bound_reached_total{bound=header_block_timeout,side=downstream} 1
