package serve

import (
	"context"
	"slices"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func TestForwardSendsOnWhatRoutesLookAt(t *testing.T) {
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("x-canary", "1", "x-track", "green", "authorization", "secret"))
	var sent metadata.MD
	err := forward(ctx, "/a.B/C", nil, nil, nil, func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		sent, _ = metadata.FromOutgoingContext(ctx)
		return nil
	})
	if err != nil || len(sent) != 2 || !slices.Equal(sent["x-canary"], []string{"1"}) || !slices.Equal(sent["x-track"], []string{"green"}) {
		t.Errorf("%v, %v", sent, err)
	}
}
