# 500 calls that are cancelled at once are a burst; the 501st is an attack and ends the connection.
config
version: 1
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8080
for i = 1 to 199 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 1 to 199 step 2: c sends RST_STREAM stream=$i code=CANCEL
for i = 201 to 399 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 201 to 399 step 2: c sends RST_STREAM stream=$i code=CANCEL
for i = 401 to 599 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 401 to 599 step 2: c sends RST_STREAM stream=$i code=CANCEL
for i = 601 to 799 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 601 to 799 step 2: c sends RST_STREAM stream=$i code=CANCEL
for i = 801 to 999 step 2: c sends HEADERS stream=$i call=/a.B/C end
for i = 801 to 999 step 2: c sends RST_STREAM stream=$i code=CANCEL
c expects open
metric outrigger_bound_reached_total{bound=premature_resets,side=downstream} 0
c sends HEADERS stream=1001 call=/a.B/C end
c sends RST_STREAM stream=1001 code=CANCEL
c expects GOAWAY last=1001 code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=premature_resets,side=downstream} 1
e accepts
e forgets
