package e2e

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

func TestRetryCounts(t *testing.T) {
	for _, c := range []struct {
		name     string
		max      int
		failures int
		attempts int
		status   string
	}{
		{"second succeeds", 2, 1, 2, "0"},
		{"third succeeds", 4, 2, 3, "0"},
		{"all fail", 3, 9, 3, "14"},
		{"five at most", 5, 9, 5, "14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := endpointLine(t, 1, failing(c.failures))
			answer := l.readOnce(t, "", policyOf(idempotentKey, noBudget,
				fmt.Sprintf("retry: { max_attempts: %d, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 4ms, multiplier: 2 } }", c.max)), readPath)
			wantStatus(t, answer, c.status)
			l.wantTries(t, c.attempts)
			if c.status == "0" && string(answer.Data) != string(wire.Message([]byte("done"))) {
				t.Errorf("got %q", answer.Data)
			}
		})
	}
}

// TestRetryOnlyOnItsCodes answers with a code that the policy does not name.
func TestRetryOnlyOnItsCodes(t *testing.T) {
	for _, status := range []string{"13", "4", "8", "2"} {
		l := endpointLine(t, 1, func(_ int, c *wire.Conn, stream uint32) {
			c.Headers(stream, true, wire.OK(field("grpc-status", status))...)
		})
		wantStatus(t, l.readOnce(t, "", policyOf(idempotentKey, retryKey), readPath), status)
		l.wantTries(t, 1)
	}
}

// TestRetryNeedsAPolicy: without one, and for a method that is not known to be idempotent under one for all, a failure
// that was seen is final; written on the method itself a retry holds.
func TestRetryNeedsAPolicy(t *testing.T) {
	for _, c := range []struct {
		name, policy, path string
		attempts           int
	}{
		{"no policy", "", readPath, 1},
		{"idempotent alone", idempotentKey, readPath, 1},
		{"not idempotent", policyOf(idempotentKey, retryKey), echoPath, 1},
		{"by the service, not idempotent", policyOf(idempotentKey, "methods: { test.Echo/*: { "+retryKey+" } }"), echoPath, 1},
		{"by the service, idempotent", policyOf(idempotentKey, noBudget, "methods: { test.Echo/*: { "+retryKey+" } }"), readPath, 4},
		{"on the method itself", policyOf(noBudget, "methods: { test.Echo/Unary: { "+retryKey+" } }"), echoPath, 4},
		{"off on the method", policyOf(idempotentKey, retryKey, "methods: { test.Echo/Read: { retry: off } }"), readPath, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := endpointLine(t, 1, failing(9))
			wantStatus(t, l.readOnce(t, "", c.policy, c.path), "14")
			l.wantTries(t, c.attempts)
		})
	}
}

// TestRetryBackoff: between attempts lies the backoff, less a fifth of it at most. How much more, tests/script/retry tells.
func TestRetryBackoff(t *testing.T) {
	l := endpointLine(t, 1, failing(9))
	l.readOnce(t, "", policyOf(idempotentKey, retryKey, noBudget), readPath)
	tries := l.wantTries(t, 4)
	for i, want := range []time.Duration{50, 100, 100} {
		gap, want := tries[i+1].at.Sub(tries[i].at), want*time.Millisecond
		if gap < want*8/10-2*time.Millisecond {
			t.Errorf("wait %d took %v, expected %v +- 20 %%", i+1, gap, want)
		}
	}
}

// TestB20Pushback gives grpc-retry-pushback-ms: a number is waited for, whatever else ends the retries, and
// grpc-previous-rpc-attempts counts. That the wait is exact is told in tests/script/pushback, where time stands still.
func TestB20Pushback(t *testing.T) {
	const quick = `retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 4ms, multiplier: 2 } }`
	for _, c := range []struct {
		value    string
		attempts int
		least    time.Duration
	}{
		{"200", 3, 200 * time.Millisecond}, {"0", 3, 0}, {"-1", 1, 0}, {"soon", 1, 0}, {"", 1, 0}, {"99999999999", 1, 0}, {"1.5", 1, 0},
	} {
		t.Run(strconv.Quote(c.value), func(t *testing.T) {
			l := endpointLine(t, 1, failing(9, field("grpc-retry-pushback-ms", c.value)))
			answer := l.readOnce(t, "", policyOf(idempotentKey, quick, noBudget), readPath)
			wantStatus(t, answer, "14")
			tries := l.wantTries(t, c.attempts)
			for i := range len(tries) - 1 {
				if gap := tries[i+1].at.Sub(tries[i].at); gap < c.least-time.Millisecond {
					t.Errorf("wait %d took %v, expected at least %v", i+1, gap, c.least)
				}
			}
		})
	}
	t.Run("in trailers after headers", func(t *testing.T) {
		l := endpointLine(t, 1, func(_ int, c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Headers(stream, true, field("grpc-status", "14"), field("grpc-retry-pushback-ms", "-1"))
		})
		wantStatus(t, l.readOnce(t, "", policyOf(idempotentKey, quick, noBudget), readPath), "14")
		l.wantTries(t, 1)
	})
	t.Run("the backoff starts anew", func(t *testing.T) {
		l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
			more := []wire.Field{field("grpc-status", "14")}
			if n == 1 {
				more = append(more, field("grpc-retry-pushback-ms", "20"))
			}
			c.Headers(stream, true, wire.OK(more...)...)
		})
		l.readOnce(t, "", policyOf(idempotentKey, noBudget,
			`retry: { max_attempts: 4, on: [UNAVAILABLE], backoff: { initial: 20ms, max: 2s, multiplier: 100 } }`), readPath)
		tries := l.wantTries(t, 4)
		if gap := tries[3].at.Sub(tries[2].at); gap > 1500*time.Millisecond {
			t.Errorf("the wait after a pushback was %v, expected 20 ms again", gap)
		}
	})
}

// TestRetryGoesElsewhere: while there is an endpoint that was not tried, it is the next.
func TestRetryGoesElsewhere(t *testing.T) {
	for _, balance := range []string{"round_robin", "random", "least_request", "peak_ewma"} {
		t.Run(balance, func(t *testing.T) {
			l := endpointLine(t, 3, func(_ int, c *wire.Conn, stream uint32) {
				c.Headers(stream, true, wire.OK(field("grpc-status", "14"))...)
			})
			_, address := outbound(t, l.addresses, "balance: "+balance, policyOf(idempotentKey, noBudget,
				`retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 2ms, multiplier: 1 } }`))
			client := wire.Dial(t, address, nil)
			stream := uint32(1)
			call := func() map[int]bool {
				before := len(l.seen())
				client.Call(stream, nil, wire.Request(readPath)...)
				stream += 2
				used := map[int]bool{}
				for _, one := range l.seen()[before:] {
					used[one.endpoint] = true
				}
				return used
			}
			eventually(t, "all endpoints are connected", func() bool { return len(call()) == 3 })
			for range 20 {
				if used := call(); len(used) != 3 {
					t.Fatalf("three attempts went to %d endpoints of three", len(used))
				}
			}
		})
	}
}

// TestRetryAfterAMessage: a failure behind a message is passed on as it is.
func TestRetryAfterAMessage(t *testing.T) {
	l := endpointLine(t, 1, func(_ int, c *wire.Conn, stream uint32) {
		c.Headers(stream, false, wire.OK()...)
		c.Data(stream, false, wire.Message([]byte("half")))
		c.Headers(stream, true, field("grpc-status", "14"))
	})
	answer := l.readOnce(t, "", policyOf(idempotentKey, retryKey), readPath)
	wantStatus(t, answer, "14")
	if string(answer.Data) != string(wire.Message([]byte("half"))) {
		t.Errorf("got %q", answer.Data)
	}
	l.wantTries(t, 1)
}

// TestRetryOfResets: what a reset stream or a lost connection counts as is tried again when it is UNAVAILABLE.
func TestRetryOfResets(t *testing.T) {
	const quick = `retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 4ms, multiplier: 2 } }`
	for _, c := range []struct {
		name     string
		path     string
		breaks   func(*wire.Conn, uint32)
		attempts int
		status   string
	}{
		{"connection ends, idempotent", readPath, func(c *wire.Conn, _ uint32) { c.Close() }, 2, "0"},
		{"connection ends, not idempotent", echoPath, func(c *wire.Conn, _ uint32) { c.Close() }, 1, "14"},
		{"INTERNAL_ERROR", readPath, func(c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeInternal) }, 1, "13"},
		{"REFUSED_STREAM, not idempotent", echoPath, func(c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeRefusedStream) }, 2, "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := endpointLine(t, 1, func(n int, conn *wire.Conn, stream uint32) {
				if n > 0 {
					conn.Respond(stream, nil)
					return
				}
				c.breaks(conn, stream)
			})
			answer := l.readOnce(t, "", policyOf(idempotentKey, quick, noBudget), c.path)
			wantStatus(t, answer, c.status)
			eventually(t, "the attempts are counted", func() bool { return len(l.seen()) >= c.attempts })
			time.Sleep(quiet)
			if n := len(l.seen()); n != c.attempts {
				t.Errorf("expected %d attempts, got %d", c.attempts, n)
			}
		})
	}
}

// TestRefusedIsNoAttempt: a refused stream is sent again at once, is not counted and not told of, and a second one
// follows the policy.
func TestRefusedIsNoAttempt(t *testing.T) {
	l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
		if n == 0 {
			c.Reset(stream, http2.ErrCodeRefusedStream)
			return
		}
		c.Headers(stream, true, wire.OK(field("grpc-status", "14"))...)
	})
	answer := l.readOnce(t, "", policyOf(idempotentKey, noBudget,
		`retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 2ms, multiplier: 1 } }`), readPath)
	wantStatus(t, answer, "14")
	time.Sleep(quiet)
	tries := l.seen()
	if len(tries) != 3 {
		t.Fatalf("expected a refusal and 2 attempts, got %v", tries)
	}
	for i, want := range []string{"[]", "[]", "[1]"} {
		if got := fmt.Sprint(tries[i].previous); got != want {
			t.Errorf("stream %d has grpc-previous-rpc-attempts %s, expected %s", i+1, got, want)
		}
	}
}

// TestRetryTellsAttempts: the error details list the attempts of a call that failed here after more than one.
func TestRetryTellsAttempts(t *testing.T) {
	l := endpointLine(t, 2, func(_ int, c *wire.Conn, _ uint32) { c.Close() })
	answer := l.readOnce(t, "balance: round_robin", policyOf(idempotentKey, noBudget,
		`retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 2ms, multiplier: 1 } }`), readPath)
	wantLocal(t, answer, "14", "UPSTREAM_RESET", "UPSTREAM_CONNECT", "NO_ENDPOINT")
	if info, _ := details(t, answer); len(info.Metadata) < 2 {
		t.Errorf("the details tell of fewer than two attempts: %v", info)
	}
}

// TestCancelEndsRetries: a caller that gives up during the wait is the end of it.
func TestCancelEndsRetries(t *testing.T) {
	l := endpointLine(t, 1, failing(9))
	p, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget,
		`retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 200ms, max: 200ms, multiplier: 1 } }`))
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(readPath)...)
	eventually(t, "the first attempt is there", func() bool { return len(l.seen()) == 1 })
	client.Reset(1, http2.ErrCodeCancel)
	client.PingWait()
	p.Eventually(wire.Patience, "no call is left", func() bool {
		n, _ := p.Metric("outrigger_requests_active")
		return n == 0
	})
	time.Sleep(300 * time.Millisecond) // longer than the wait that was on
	if n := len(l.seen()); n != 1 {
		t.Errorf("%d attempts after the caller gave up", n)
	}
}

// TestPreviousAttemptsOfTheCaller: the number that a caller sent of its own attempts goes on with the first attempt.
func TestPreviousAttemptsOfTheCaller(t *testing.T) {
	l := endpointLine(t, 1, failing(0))
	wantStatus(t, l.readOnce(t, "", policyOf(idempotentKey, retryKey), readPath, field("grpc-previous-rpc-attempts", "2")), "0")
	if got := fmt.Sprint(l.seen()[0].previous); got != "[2]" && got != "[]" {
		t.Errorf("the first attempt has grpc-previous-rpc-attempts %s", got)
	}
}

// TestRetryAcrossSidecars: what an inbound sidecar could not forward is sent again by the outbound one even for a method
// that may not be repeated; a failure of the service behind it is not.
func TestRetryAcrossSidecars(t *testing.T) {
	l := endpointLine(t, 1, failing(9))
	pair := startPair(t, l.addresses[0])
	answer := wire.Dial(t, pair.entry, nil).Call(1, nil, wire.Request(echoPath)...)
	wantStatus(t, answer, "14")
	l.wantTries(t, 1)
}
