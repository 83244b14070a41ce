// Package trouble is what a demonstration does to the calls of a service: they wait, or fail behind what they did.
package trouble

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/outrigger/examples/internal/serve"
)

// Trouble is what a demonstration does to the unary calls of an instance. The zero value does nothing.
type Trouble struct {
	Delay     time.Duration // before each call is carried out
	FailShare float64       // of the calls, 0 to 1, are carried out and then answered with headers and UNAVAILABLE
	Log       bool          // a line for each call
}

// the id that a call is about.
type identified interface{ GetId() string }

// Asked reads PREFIX_DELAY, PREFIX_FAIL_SHARE and PREFIX_LOG_CALLS from the environment.
func Asked(prefix string) (Trouble, error) {
	delay, err := serve.EnvDuration(prefix+"_DELAY", 0)
	if err != nil {
		return Trouble{}, err
	}
	share, err := serve.EnvShare(prefix + "_FAIL_SHARE")
	return Trouble{Delay: delay, FailShare: share, Log: serve.Env(prefix+"_LOG_CALLS", "no") == "yes"}, err
}

// Intercept is a grpc.UnaryServerInterceptor. Calls that are about nothing with an id, such as health checks, are left alone.
func (t Trouble) Intercept(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	about, isOurs := in.(identified)
	if !isOurs {
		return next(ctx, in)
	}
	begin := time.Now()
	out, err := t.carryOut(ctx, in, next)
	if t.Log {
		slog.Info("call", "method", path.Base(info.FullMethod), "id", about.GetId(), "previous_attempts", previousAttempts(ctx),
			"code", status.Code(err), "took", time.Since(begin).Round(10*time.Microsecond))
	}
	return out, err
}

func (t Trouble) carryOut(ctx context.Context, in any, next grpc.UnaryHandler) (any, error) {
	if t.Delay > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(t.Delay):
		}
	}
	out, err := next(ctx, in)
	if err != nil || rand.Float64() >= t.FailShare {
		return out, err
	}
	if err := grpc.SendHeader(ctx, nil); err != nil {
		return nil, err
	}
	return nil, status.Error(codes.Unavailable, "flaky on purpose")
}

// previousAttempts is what a retrying client or sidecar says: how many attempts of this call failed before this one.
func previousAttempts(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, "grpc-previous-rpc-attempts"); len(values) == 1 {
		return values[0]
	}
	return "0"
}
