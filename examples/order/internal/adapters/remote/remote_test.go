package remote

import (
	"errors"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

func TestOnlyACertainNoIsARefusal(t *testing.T) {
	info := func(code codes.Code, where, reason string) error {
		detailed, err := status.New(code, "no").WithDetails(&errdetails.ErrorInfo{Domain: where, Reason: reason})
		if err != nil {
			t.Fatal(err)
		}
		return detailed.Err()
	}
	cases := []struct {
		name    string
		err     error
		refused bool
	}{
		{"payment says the request is wrong", status.Error(codes.InvalidArgument, "no"), true},
		{"the sidecar has no endpoint", info(codes.Unavailable, "outrigger", "NO_ENDPOINT"), true},
		{"the sidecar is full", info(codes.ResourceExhausted, "outrigger", "OVERLOADED"), true},
		{"a peer that is no friend of ours", info(codes.PermissionDenied, "outrigger", "NOT_ALLOWED"), true},
		{"a sidecar met a broken message", info(codes.Unimplemented, "outrigger", "UPSTREAM_RESET"), false},
		{"the connection broke", info(codes.Unavailable, "outrigger", "UPSTREAM_RESET"), false},
		{"the same word from someone else", info(codes.Unavailable, "shop.example", "NO_ENDPOINT"), false},
		{"no reason given", status.Error(codes.Unavailable, "no"), false},
		{"time is over", status.Error(codes.DeadlineExceeded, "no"), false},
		{"payment failed inside", status.Error(codes.Internal, "no"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var refused *domain.RefusedError
			judged := Judge(c.err, Refused(c.err) || NeverSent(c.err))
			if errors.As(judged, &refused) != c.refused {
				t.Fatalf("judged %v", judged)
			}
			if status.Code(judged) != status.Code(c.err) {
				t.Fatalf("the code became %v", status.Code(judged))
			}
		})
	}
}
