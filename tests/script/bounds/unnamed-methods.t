# A method that the file does not name is counted by itself once the application answered it with OK; past four it is `other`.
config
version: 1
inbound:
  - { listen: 127.0.0.1:8080, tls: off, forward: 127.0.0.1:9001 }
end
endpoint e listens on 127.0.0.1:9001
client c connects to 127.0.0.1:8080
c sends HEADERS stream=1 call=/a.B/Unknown end
e accepts
e expects HEADERS stream=1 end
e sends HEADERS stream=1 answer grpc-status=12 end
c expects HEADERS stream=1 end grpc-status=12
for i = 3 to 9 step 2: c sends HEADERS stream=$i call=/a.B/M$i end
for i = 3 to 9 step 2: e expects HEADERS stream=$i end
for i = 3 to 9 step 2: e sends HEADERS stream=$i answer grpc-status=0 end
for i = 3 to 9 step 2: c expects HEADERS stream=$i end grpc-status=0
metric outrigger_bound_reached_total{bound=unnamed_methods,side=downstream} 0
c sends HEADERS stream=11 call=/a.B/M9 end
e expects HEADERS stream=11 end
e sends HEADERS stream=11 answer grpc-status=0 end
c expects HEADERS stream=11 end grpc-status=0
metric outrigger_bound_reached_total{bound=unnamed_methods,side=downstream} 0
metric grpc_server_call_started_total{grpc_method=a.B/M9} 1
metric grpc_server_call_started_total{grpc_method=other} 5
c sends HEADERS stream=13 call=/a.B/Fifth end
e expects HEADERS stream=13 end
e sends HEADERS stream=13 answer grpc-status=0 end
c expects HEADERS stream=13 end grpc-status=0
metric outrigger_bound_reached_total{bound=unnamed_methods,side=downstream} 1
metric grpc_server_call_started_total{grpc_method=other} 6
