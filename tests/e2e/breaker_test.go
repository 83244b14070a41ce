package e2e

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// breakerOf is a breaker without chance that opens after three failures in a row, with more keys of its mapping.
func breakerOf(open string, more ...string) string {
	keys := append([]string{"consecutive_failures: 3", "open: { " + open + ", jitter: 0% }"}, more...)
	return "circuit_breaker: { " + join(keys...) + " }"
}

const longOpen = "base: 30s"

// switched is a line of endpoints whose answer is switched while they run.
type switched struct {
	*line
	answer atomic.Pointer[script]
}

func newSwitched(t *testing.T, count int, first script) *switched {
	t.Helper()
	s := &switched{}
	s.set(first)
	s.line = endpointLine(t, count, func(n int, c *wire.Conn, stream uint32) { (*s.answer.Load())(n, c, stream) })
	return s
}

func (s *switched) set(answer script) { s.answer.Store(&answer) }

func fails(_ int, c *wire.Conn, stream uint32) {
	c.Headers(stream, true, wire.OK(field("grpc-status", "14"))...)
}

func succeeds(_ int, c *wire.Conn, stream uint32) { c.Respond(stream, []byte("done")) }

func silent(int, *wire.Conn, uint32) {}

// client makes calls one after the other on one connection.
type client struct {
	*wire.Conn
	t    *testing.T
	next uint32
}

func newClient(t *testing.T, address string) *client {
	return &client{Conn: wire.Dial(t, address, nil), t: t, next: 1}
}

func (c *client) stream() uint32 {
	c.next += 2
	return c.next - 2
}

func (c *client) call(path string, more ...wire.Field) wire.Answer {
	c.t.Helper()
	return c.Call(c.stream(), nil, wire.Request(path, more...)...)
}

// begin starts a call and does not wait for its end.
func (c *client) begin(path string, more ...wire.Field) uint32 {
	id := c.stream()
	c.Headers(id, true, wire.Request(path, more...)...)
	return id
}

// wantOpen makes a call that the breaker must refuse: at once, with a time to come back, and without an attempt.
func (c *client) wantOpen(l *line, path string) time.Duration {
	c.t.Helper()
	before := len(l.seen())
	answer := c.call(path)
	wantLocal(c.t, answer, "14", "BREAKER_OPEN")
	if n := len(l.seen()) - before; n != 0 {
		c.t.Errorf("an open breaker let %d attempts through", n)
	}
	_, retry := details(c.t, answer)
	if retry == nil || retry.RetryDelay.AsDuration() <= 0 {
		c.t.Fatalf("no RetryInfo: %v", answer)
	}
	return retry.RetryDelay.AsDuration()
}

// open makes calls that fail until the breaker must be open.
func (c *client) open(path string, failures int) {
	c.t.Helper()
	for range failures {
		wantStatus(c.t, c.call(path), "14")
	}
}

// TestBreakerOpens breaks the only endpoint off: the fourth call after three failures is refused.
func TestBreakerOpens(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", breakerOf(longOpen))
	c := newClient(t, address)
	c.open(echoPath, 3)
	if in := c.wantOpen(s.line, echoPath); in < 25*time.Second || in > 30*time.Second {
		t.Errorf("RetryInfo says %v, the breaker is open for 30 s", in)
	}
	if n := len(s.seen()); n != 3 {
		t.Errorf("%d attempts arrived, expected 3", n)
	}
}

// TestBreakerCountsInARow: a success between starts the count anew.
func TestBreakerCountsInARow(t *testing.T) {
	s := newSwitched(t, 1, func(n int, c *wire.Conn, stream uint32) {
		if n%3 == 2 {
			succeeds(n, c, stream)
			return
		}
		fails(n, c, stream)
	})
	_, address := outbound(t, s.addresses, "", breakerOf(longOpen))
	c := newClient(t, address)
	for range 12 {
		c.call(echoPath)
	}
	if n := len(s.seen()); n != 12 {
		t.Errorf("%d of 12 calls reached the endpoint", n)
	}
}

// TestBreakerProbes: after its time one call goes as a probe, and only one while it runs; when it fails the wait doubles,
// when it succeeds the breaker closes.
func TestBreakerProbes(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", breakerOf("base: 400ms, multiplier: 2, max: 10s", "ramp: off"))
	c := newClient(t, address)
	c.open(echoPath, 3)
	if in := c.wantOpen(s.line, echoPath); in > 400*time.Millisecond {
		t.Errorf("open for %v, expected 400 ms", in)
	}

	s.set(silent)
	time.Sleep(410 * time.Millisecond)
	before := len(s.seen())
	probe := c.begin(echoPath)
	eventually(t, "the probe is there", func() bool { return len(s.seen()) == before+1 })
	for range 10 {
		c.wantOpen(s.line, echoPath)
	}
	s.release(t, fails)
	wantStatus(t, c.Answer(probe), "14")
	if in := c.wantOpen(s.line, echoPath); in <= 400*time.Millisecond || in > 800*time.Millisecond {
		t.Errorf("open for %v after a failed probe, expected 800 ms", in)
	}

	s.set(succeeds)
	time.Sleep(810 * time.Millisecond)
	wantStatus(t, c.call(echoPath), "0")
	for range 20 {
		wantStatus(t, c.call(echoPath), "0")
	}
}

// release answers the attempt that is silent so far.
func (s *switched) release(t *testing.T, answer script) {
	t.Helper()
	last := s.seen()[len(s.seen())-1]
	answer(0, last.conn, last.stream)
}

// TestBreakerIgnoresTheCaller: cancels and the caller's own deadlines say nothing about the endpoint; the policy's do.
func TestBreakerIgnoresTheCaller(t *testing.T) {
	s := newSwitched(t, 1, silent)
	_, address := outbound(t, s.addresses, "", policyOf("timeout: 2s", breakerOf(longOpen)))
	c := newClient(t, address)
	for i := range 6 {
		wantStatus(t, c.call(echoPath, field("grpc-timeout", "20m")), "4")
		id := c.begin(echoPath)
		eventually(t, "the attempt is there", func() bool { return len(s.seen()) == 2*i+2 })
		c.Reset(id, http2.ErrCodeCancel)
	}
	s.set(succeeds)
	wantStatus(t, c.call(echoPath), "0")

	s = newSwitched(t, 1, silent)
	_, address = outbound(t, s.addresses, "", policyOf("timeout: 30ms", breakerOf(longOpen)))
	c = newClient(t, address)
	for range 3 {
		wantStatus(t, c.call(echoPath, field("grpc-timeout", "5S")), "4")
	}
	c.wantOpen(s.line, echoPath)
}

// TestBreakerFailures: only the statuses that the policy names count, however they come about.
func TestBreakerFailures(t *testing.T) {
	status := func(code string) script {
		return func(_ int, c *wire.Conn, stream uint32) {
			c.Headers(stream, true, wire.OK(field("grpc-status", code))...)
		}
	}
	for _, code := range []struct {
		name   string
		answer script
		keys   string
		opens  bool
	}{
		{"INVALID_ARGUMENT", status("3"), "", false},
		{"RESOURCE_EXHAUSTED", status("8"), "", false},
		{"INTERNAL", status("13"), "", true},
		{"DATA_LOSS", status("15"), "", true},
		{"DEADLINE_EXCEEDED of the endpoint", status("4"), "", true},
		{"named", status("8"), "failures: [RESOURCE_EXHAUSTED]", true},
		{"not named", status("14"), "failures: [RESOURCE_EXHAUSTED]", false},
		{"reset", func(_ int, c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeInternal) }, "", true},
		{"in the trailers", failingLate(1000), "", true},
	} {
		t.Run(code.name, func(t *testing.T) {
			s := newSwitched(t, 1, code.answer)
			_, address := outbound(t, s.addresses, "", breakerOf(longOpen, code.keys))
			c := newClient(t, address)
			for range 3 {
				c.call(echoPath)
			}
			if code.opens {
				c.wantOpen(s.line, echoPath)
				return
			}
			c.call(echoPath)
			if n := len(s.seen()); n != 4 {
				t.Errorf("%d of 4 calls reached the endpoint", n)
			}
		})
	}
}

// TestBreakerRates: a share of failures opens, and a share of slow calls.
func TestBreakerRates(t *testing.T) {
	half := func(n int, c *wire.Conn, stream uint32) {
		if n%2 == 0 {
			succeeds(n, c, stream)
			return
		}
		fails(n, c, stream)
	}
	for _, c := range []struct {
		name, rule string
		answer     script
		calls      int
	}{
		{"failures", "failure_rate: { threshold: 50%, min_requests: 10 }", half, 10},
		{"slow calls", "slow_calls: { longer_than: 20ms, threshold: 80%, min_requests: 5 }", func(n int, c *wire.Conn, s uint32) {
			time.AfterFunc(40*time.Millisecond, func() { succeeds(n, c, s) })
		}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSwitched(t, 1, c.answer)
			_, address := outbound(t, s.addresses, "", "circuit_breaker: { open: { base: 30s }, "+c.rule+" }")
			client := newClient(t, address)
			for range c.calls {
				client.call(echoPath)
			}
			if n := len(s.seen()); n != c.calls {
				t.Fatalf("opened after %d calls, expected %d", n, c.calls)
			}
			client.wantOpen(s.line, echoPath)
		})
	}
}

// TestBreakerScopes: a method that fails opens for itself alone, for its endpoint, or for the service.
func TestBreakerScopes(t *testing.T) {
	for scope, open := range map[string]bool{"endpoint_method": false, "endpoint": true, "service": true} {
		t.Run(scope, func(t *testing.T) {
			s := newSwitched(t, 1, fails)
			_, address := outbound(t, s.addresses, "", breakerOf(longOpen, "scope: "+scope))
			c := newClient(t, address)
			c.open(echoPath, 3)
			c.wantOpen(s.line, echoPath)
			s.set(succeeds)
			if open {
				c.wantOpen(s.line, "/test.Echo/Other")
			} else {
				wantStatus(t, c.call("/test.Echo/Other"), "0")
			}
		})
	}
}

// TestBreakerLeavesOneAlone: of three endpoints the one that fails is left alone, the callers see it fail three times.
func TestBreakerLeavesOneAlone(t *testing.T) {
	var bad atomic.Int32
	bad.Store(-1)
	l := endpointLineBy(t, 3, func(endpoint, n int, c *wire.Conn, stream uint32) {
		if int32(endpoint) == bad.Load() {
			fails(n, c, stream)
			return
		}
		succeeds(n, c, stream)
	})
	_, address := outbound(t, l.addresses, "balance: round_robin", breakerOf(longOpen))
	c := newClient(t, address)
	eventually(t, "all endpoints are connected", func() bool {
		c.call(echoPath)
		used := map[int]bool{}
		for _, one := range l.seen() {
			used[one.endpoint] = true
		}
		return len(used) == 3
	})
	bad.Store(1)
	start, failures := len(l.seen()), 0
	for range 100 {
		if c.call(echoPath).Status() != "0" {
			failures++
		}
	}
	there := 0
	for _, one := range l.seen()[start:] {
		if one.endpoint == 1 {
			there++
		}
	}
	if failures != 3 || there != 3 {
		t.Errorf("%d of 100 calls failed, %d went to the broken endpoint, expected 3", failures, there)
	}
}

// TestBreakerAllOpen: when all endpoints are out a call fails at once, or is sent all the same, as the policy says.
func TestBreakerAllOpen(t *testing.T) {
	for _, when := range []string{"fail", "try"} {
		t.Run(when, func(t *testing.T) {
			s := newSwitched(t, 2, fails)
			_, address := outbound(t, s.addresses, "balance: round_robin", breakerOf(longOpen, "when_all_open: "+when))
			c := newClient(t, address)
			for range 20 {
				c.call(echoPath)
			}
			if when == "fail" {
				c.wantOpen(s.line, echoPath)
				return
			}
			before := len(s.seen())
			s.set(succeeds)
			for range 10 {
				wantStatus(t, c.call(echoPath), "0")
			}
			if n := len(s.seen()) - before; n != 10 {
				t.Errorf("%d of 10 calls were sent", n)
			}
		})
	}
}

// TestBreakerRamp: an endpoint that has recovered gets its share back little by little.
func TestBreakerRamp(t *testing.T) {
	var broken atomic.Bool
	l := endpointLineBy(t, 2, func(endpoint, n int, c *wire.Conn, stream uint32) {
		if endpoint == 0 && broken.Load() {
			fails(n, c, stream)
			return
		}
		succeeds(n, c, stream)
	})
	_, address := outbound(t, l.addresses, "balance: round_robin", breakerOf("base: 300ms", "ramp: 3s"))
	c := newClient(t, address)
	share := func(calls int, pace time.Duration) float64 {
		start, mine := len(l.seen()), 0
		for range calls {
			c.call(echoPath)
			time.Sleep(pace)
		}
		for _, one := range l.seen()[start:] {
			if one.endpoint == 0 {
				mine++
			}
		}
		return float64(mine) / float64(calls)
	}
	eventually(t, "both endpoints are connected", func() bool { return share(2, 0) > 0 && share(4, 0) > 0.2 })
	broken.Store(true)
	if s := share(20, 0); s > 0.2 {
		t.Errorf("the broken endpoint got a share of %v", s)
	}
	broken.Store(false)
	time.Sleep(310 * time.Millisecond)
	early := share(100, 0)
	time.Sleep(3 * time.Second)
	late := share(100, 0)
	if early > 0.3 || late < 0.4 {
		t.Errorf("its share was %.2f at the beginning of the ramp and %.2f after it", early, late)
	}
}

// TestBreakerAndRetry: a retry goes to an endpoint that is in, and a call that finds all out is not tried again.
func TestBreakerAndRetry(t *testing.T) {
	s := newSwitched(t, 1, fails)
	_, address := outbound(t, s.addresses, "", policyOf(idempotentKey, noBudget, breakerOf(longOpen),
		`retry: { max_attempts: 5, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 2ms, multiplier: 1 } }`))
	c := newClient(t, address)
	answer := c.call(readPath)
	if got := answer.Status(); got != "14" {
		t.Errorf("got %v", answer)
	}
	if n := len(s.seen()); n != 3 {
		t.Errorf("%d attempts, expected 3: the breaker is open then", n)
	}
	c.wantOpen(s.line, readPath)
}

// TestBreakerOpensUnderLoad: many callers at once, an endpoint that has gone silent: no more calls wait for it than began
// before the first of them failed.
func TestBreakerOpensUnderLoad(t *testing.T) {
	s := newSwitched(t, 1, silent)
	_, address := outbound(t, s.addresses, "", policyOf("timeout: 200ms", breakerOf(longOpen)))
	c := newClient(t, address)
	var ids []uint32
	for range 20 {
		ids = append(ids, c.begin(echoPath))
	}
	for _, id := range ids {
		wantStatus(t, c.Answer(id), "4")
	}
	c.wantOpen(s.line, echoPath)
	if n := len(s.seen()); n != 20 {
		t.Errorf("%d attempts, expected 20", n)
	}
}
