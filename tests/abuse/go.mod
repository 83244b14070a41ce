// The path lies below tests/e2e, so that the helpers there (internal/proxy, internal/wire, internal/cert) serve here too.
module outrigger/tests/e2e/abuse

go 1.26.0

require (
	golang.org/x/net v0.61.0
	golang.org/x/sys v0.49.0
	outrigger/tests/e2e v0.0.0
)

require (
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260706201446-f0a921348800 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace outrigger/tests/e2e => ../e2e
