package serve

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// Headers that a caller may steer a call by: routes of sidecars look at them, so they go along with each call that is made
// on behalf of another.
var forwarded = []string{"x-canary", "x-track"}

// forward is a grpc.UnaryClientInterceptor that sends on what the call being served came with.
func forward(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, next grpc.UnaryInvoker, options ...grpc.CallOption) error {
	for _, name := range forwarded {
		for _, value := range metadata.ValueFromIncomingContext(ctx, name) {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
	}
	return next(ctx, method, request, reply, connection, options...)
}
