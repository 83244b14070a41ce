package serve

import (
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
)

// Dial connects in the clear: to the loopback listener of a sidecar, or, without sidecars, to the service itself. Several
// addresses, with commas between, take turns. The authority is what sidecar routes match; "" leaves it to grpc-go. Calls take
// along the headers that routes look at.
func Dial(addresses, authority string) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(forward)}
	if authority != "" {
		options = append(options, grpc.WithAuthority(authority))
	}
	list := strings.Split(addresses, ",")
	if len(list) == 1 {
		return grpc.NewClient(addresses, options...)
	}
	static := manual.NewBuilderWithScheme("static")
	state := resolver.State{}
	for _, address := range list {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}
	static.InitialState(state)
	options = append(options, grpc.WithResolvers(static),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`))
	return grpc.NewClient("static:///service", options...)
}
