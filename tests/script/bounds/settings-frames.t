# A hundred SETTINGS frames, the first included, and ten a second; one more ends the connection.
config
version: 1
outbound:
  - listen: 127.0.0.1:15001
    routes: [ { service: payment } ]
services:
  payment: { endpoints: { static: ["127.0.0.1:9001"] }, tls: off }
end
client c connects to 127.0.0.1:15001
for i = 1 to 99 step 1: c sends SETTINGS INITIAL_WINDOW_SIZE=$i
c expects open
metric outrigger_bound_reached_total{bound=settings_frames,side=downstream} 0
c sends SETTINGS INITIAL_WINDOW_SIZE=1
c expects GOAWAY code=ENHANCE_YOUR_CALM
c expects close
metric outrigger_bound_reached_total{bound=settings_frames,side=downstream} 1
