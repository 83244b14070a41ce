# A smaller INITIAL_WINDOW_SIZE takes the window of streams that wait for the connection's; the one that gets a window again
# is served though the one before it has none.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:15001 settings INITIAL_WINDOW_SIZE=200000
for i = 1 to 5 step 2: c sends HEADERS stream=$i call=/pay.v1.Pay/Charge end
e accepts
for i = 1 to 5 step 2: e expects HEADERS stream=$i end
for i = 1 to 5 step 2: e sends HEADERS stream=$i answer
e sends DATA stream=1 size=65535
e sends DATA stream=3 size=20000
e sends DATA stream=5 size=20000
for i = 1 to 5 step 2: c expects HEADERS stream=$i
c expects DATA stream=1 size=65535
c expects nothing
c sends SETTINGS INITIAL_WINDOW_SIZE=0
c sends WINDOW_UPDATE stream=5 n=200000
c sends WINDOW_UPDATE stream=0 n=1000000
c expects DATA stream=5 size=20000
c expects nothing
c sends WINDOW_UPDATE stream=3 n=200000
c expects DATA stream=3 size=20000
for i = 1 to 5 step 2: e sends HEADERS stream=$i grpc-status=0 end
for i = 1 to 5 step 2: c expects HEADERS stream=$i end grpc-status=0
