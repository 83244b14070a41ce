package e2e

import (
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// TestRetryDeadline: there is one deadline over all attempts. What is left of it goes to each, and a call that has no
// time for another attempt is not tried again.
func TestRetryDeadline(t *testing.T) {
	t.Run("what is left goes on", func(t *testing.T) {
		l := endpointLine(t, 1, failing(3))
		wantStatus(t, l.readOnce(t, "", policyOf(idempotentKey, retryKey, noBudget), readPath, field("grpc-timeout", "2S")), "0")
		last := 2 * time.Second
		for i, one := range l.wantTries(t, 4) {
			left := parseTimeout(t, one.timeout)
			if least := time.Duration(0); left <= least || left > last || (i > 0 && last-left < 35*time.Millisecond) {
				t.Errorf("attempt %d was given %v, the one before %v", i+1, left, last)
			}
			last = left
		}
	})
	t.Run("no time for another", func(t *testing.T) {
		l := endpointLine(t, 1, failing(9))
		_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget,
			`retry: { max_attempts: 4, on: [UNAVAILABLE], backoff: { initial: 1s, max: 1s, multiplier: 1 } }`))
		answer := wire.Dial(t, address, nil).Call(1, nil, wire.Request(readPath, field("grpc-timeout", "500m"))...)
		wantStatus(t, answer, "14") // had it been kept to the deadline, 4
		l.wantTries(t, 1)
	})
	t.Run("over while an attempt runs", func(t *testing.T) {
		l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
			if n < 2 {
				failing(2)(n, c, stream)
			}
		})
		_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget, retryKey))
		client, start := wire.Dial(t, address, nil), time.Now()
		answer := client.Call(1, nil, wire.Request(readPath, field("grpc-timeout", "400m"))...)
		wantStatus(t, answer, "4")
		if took := answer.At.Sub(start); took < 390*time.Millisecond {
			t.Errorf("ended after %v, expected 400 ms", took)
		}
		l.wantTries(t, 3)
	})
}

// TestPerTryTimeout: an attempt without a first message in time counts as UNAVAILABLE: it is reset and another begins.
func TestPerTryTimeout(t *testing.T) {
	const policy = `retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 100ms, backoff: { initial: 2ms, max: 2ms, multiplier: 1 } }`
	t.Run("another endpoint answers", func(t *testing.T) {
		var first *wire.Conn
		l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
			if n == 0 {
				first = c
				return
			}
			c.Respond(stream, []byte("done"))
		})
		answer := l.readOnce(t, "", policyOf(idempotentKey, noBudget, policy), readPath)
		wantStatus(t, answer, "0")
		tries := l.wantTries(t, 2)
		if gap := tries[1].at.Sub(tries[0].at); gap < 95*time.Millisecond {
			t.Errorf("the second attempt came after %v", gap)
		}
		if f := first.WantReset(1); f.Code != http2.ErrCodeCancel {
			t.Errorf("the first attempt was reset with %v", f.Code)
		}
	})
	t.Run("none answers", func(t *testing.T) {
		l := endpointLine(t, 1, func(int, *wire.Conn, uint32) {})
		wantLocal(t, l.readOnce(t, "", policyOf(idempotentKey, noBudget, policy), readPath), "14", "UPSTREAM_TIMEOUT")
		l.wantTries(t, 3)
	})
	t.Run("not after the first message", func(t *testing.T) {
		l := endpointLine(t, 1, func(_ int, c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Data(stream, false, wire.Message([]byte("first")))
			time.AfterFunc(250*time.Millisecond, func() { c.Headers(stream, true, field("grpc-status", "0")) })
		})
		wantStatus(t, l.readOnce(t, "", policyOf(idempotentKey, noBudget, policy), readPath), "0")
		l.wantTries(t, 1)
	})
	t.Run("an unsafe call is not tried again", func(t *testing.T) {
		l := endpointLine(t, 1, func(int, *wire.Conn, uint32) {})
		answer := l.readOnce(t, "", policyOf(idempotentKey, noBudget, policy), echoPath, field("grpc-timeout", "500m"))
		if got := answer.Status(); got != "4" && got != "14" {
			t.Errorf("got %v", answer)
		}
		l.wantTries(t, 1)
	})
}
