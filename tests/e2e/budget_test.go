package e2e

import (
	"testing"

	"outrigger/tests/e2e/internal/wire"
)

const budgetRetry = `retry: { max_attempts: 2, on: [UNAVAILABLE], backoff: { initial: 1ms, max: 1ms, multiplier: 1 } }`

// drain makes calls that fail and gives how many attempts they took.
func (c *client) drain(l *line, path string, calls int) int {
	c.t.Helper()
	before := len(l.seen())
	for range calls {
		wantStatus(c.t, c.call(path), "14")
	}
	return len(l.seen()) - before
}

// TestBudgetStorm: while all fail, retries end when half of the tokens are gone; each failure takes one, and the default
// is ten of them.
func TestBudgetStorm(t *testing.T) {
	for _, c := range []struct {
		name, budget string
		attempts     int // of 50 calls of two attempts at most
	}{
		{"default", "", 52}, // 10, 9, 8, 7, 6: two calls are tried again, and each second failure takes a token too
		{"written out", "retry_budget: { max_tokens: 10, token_ratio: 0.1 }", 52},
		{"larger", "retry_budget: { max_tokens: 40, token_ratio: 0.1 }", 60},
		{"off", "retry_budget: off", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSwitched(t, 1, fails)
			_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, budgetRetry, c.budget))
			if n := newClient(t, address).drain(s.line, readPath, 50); n != c.attempts {
				t.Errorf("50 calls took %d attempts, expected %d", n, c.attempts)
			}
		})
	}
}

// TestBudgetRefills: successes give their part of a token back, and above half retries go on.
func TestBudgetRefills(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, budgetRetry, "retry_budget: { max_tokens: 10, token_ratio: 0.5 }"))
	c := newClient(t, address)
	c.drain(s.line, readPath, 20)
	succeed := func(calls int) {
		s.set(succeeds)
		for range calls {
			wantStatus(t, c.call(readPath), "0")
		}
		s.set(fails)
	}
	succeed(12) // six tokens, five after the failure: not above half
	if n := c.drain(s.line, readPath, 1); n != 1 {
		t.Errorf("tried again with half of the tokens")
	}
	succeed(3) // six and a half
	if n := c.drain(s.line, readPath, 1); n != 2 {
		t.Errorf("not tried again with more than half of the tokens")
	}
}

// TestBudgetOfFailuresOnly: what is not tried again takes no token, but pushback that forbids a retry does.
func TestBudgetOfFailuresOnly(t *testing.T) {
	s := newSwitched(t, 1, func(_ int, c *wire.Conn, stream uint32) {
		c.Headers(stream, true, wire.OK(field("grpc-status", "3"))...)
	})
	_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, budgetRetry))
	c := newClient(t, address)
	for range 30 {
		wantStatus(t, c.call(readPath), "3")
	}
	s.set(fails)
	if n := c.drain(s.line, readPath, 1); n != 2 {
		t.Errorf("other statuses took the tokens: %d attempts", n)
	}
	s.set(func(_ int, c *wire.Conn, stream uint32) {
		c.Headers(stream, true, wire.OK(field("grpc-status", "3"), field("grpc-retry-pushback-ms", "-1"))...)
	})
	for range 10 {
		wantStatus(t, c.call(readPath), "3")
	}
	s.set(fails)
	if n := c.drain(s.line, readPath, 1); n != 1 {
		t.Errorf("pushback took no token: %d attempts", n)
	}
}

// TestBudgetOfAService: the tokens belong to the service, whatever the method.
func TestBudgetOfAService(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, budgetRetry))
	c := newClient(t, address)
	c.drain(s.line, readPath, 20)
	if n := c.drain(s.line, streamPath, 1); n != 1 {
		t.Errorf("the other method was tried again")
	}
}

// TestBudgetDoesNotBindTransparentRetries: a refused stream is sent again without tokens.
func TestBudgetDoesNotBindTransparentRetries(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, budgetRetry))
	c := newClient(t, address)
	c.drain(s.line, readPath, 20)
	refused := false
	s.set(func(n int, conn *wire.Conn, stream uint32) {
		if !refused {
			refused = true
			conn.Reset(stream, 7) // REFUSED_STREAM
			return
		}
		succeeds(n, conn, stream)
	})
	wantStatus(t, c.call(echoPath), "0")
}
