package e2e

import (
	"encoding/base64"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"outrigger/tests/e2e/internal/wire"
)

// quiet is how long no further attempt may come: nothing tells that one never will.
const quiet = 150 * time.Millisecond

const (
	readPath   = "/test.Echo/Read"   // idempotent in all policies here
	streamPath = "/test.Echo/Stream" // idempotent too

	idempotentKey = `idempotent: ["test.Echo/Read", "test.Echo/Stream"]`
	retryKey      = `retry: { max_attempts: 4, on: [UNAVAILABLE], backoff: { initial: 50ms, max: 100ms, multiplier: 2 } }`
	noBudget      = `retry_budget: off`
)

// try is one attempt as an endpoint saw it.
type try struct {
	at       time.Time
	endpoint int
	path     string
	previous []string
	timeout  string
	conn     *wire.Conn
	stream   uint32
}

// line of endpoints that share one script: the n-th attempt on any of them, counted from 0, is answered by script(n).
type line struct {
	addresses []string

	mu    sync.Mutex
	tries []try
}

type script func(n int, c *wire.Conn, stream uint32)

// endpointLine starts endpoints whose attempts, once whole, follow the script.
func endpointLine(t *testing.T, count int, answer script) *line {
	t.Helper()
	return endpointLineBy(t, count, func(_, n int, c *wire.Conn, stream uint32) { answer(n, c, stream) })
}

// endpointLineBy is endpointLine with a script that knows the number of the endpoint.
func endpointLineBy(t *testing.T, count int, answer func(endpoint, n int, c *wire.Conn, stream uint32)) *line {
	t.Helper()
	l := &line{}
	for i := range count {
		e := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
			if !f.End() {
				return
			}
			head, _ := c.Find(0, func(h wire.Frame) bool { return h.Stream == f.Stream && h.Has(":path") })
			l.mu.Lock()
			n := len(l.tries)
			l.tries = append(l.tries, try{f.At, i, head.Get(":path"), head.All("grpc-previous-rpc-attempts"), head.Get("grpc-timeout"), c, f.Stream})
			l.mu.Unlock()
			answer(i, n, c, f.Stream)
		}})
		l.addresses = append(l.addresses, e.Address)
	}
	return l
}

func (l *line) seen() []try {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]try(nil), l.tries...)
}

// failing answers UNAVAILABLE, trailers-only, to the first so many attempts, and OK to the others; more fields go
// with the failures.
func failing(times int, more ...wire.Field) script {
	return func(n int, c *wire.Conn, stream uint32) {
		if n >= times {
			c.Respond(stream, []byte("done"))
			return
		}
		c.Headers(stream, true, wire.OK(append([]wire.Field{field("grpc-status", "14"), field("grpc-message", "scripted")}, more...)...)...)
	}
}

// failingLate is failing with headers before the trailers.
func failingLate(times int) script {
	return func(n int, c *wire.Conn, stream uint32) {
		if n >= times {
			c.Respond(stream, []byte("done"))
			return
		}
		c.Headers(stream, false, wire.OK()...)
		c.Headers(stream, true, field("grpc-status", "14"))
	}
}

// readOnce makes one call through a proxy before the line.
func (l *line) readOnce(t *testing.T, service, policy string, path string, more ...wire.Field) wire.Answer {
	t.Helper()
	_, address := outbound(t, l.addresses, service, policy)
	return wire.Dial(t, address, nil).Call(1, []byte("body"), wire.Request(path, more...)...)
}

func policyOf(keys ...string) string { return join(keys...) }

// wantTries checks how many attempts came, that each but the first tells exactly how many were before it, and that no
// more come.
func (l *line) wantTries(t *testing.T, count int) []try {
	t.Helper()
	time.Sleep(quiet)
	tries := l.seen()
	if len(tries) != count {
		t.Fatalf("expected %d attempts, got %d: %v", count, len(tries), tries)
	}
	for i, one := range tries {
		switch {
		case i == 0 && len(one.previous) != 0:
			t.Errorf("the first attempt has grpc-previous-rpc-attempts %v", one.previous)
		case i > 0 && (len(one.previous) != 1 || one.previous[0] != strconv.Itoa(i)):
			t.Errorf("attempt %d has grpc-previous-rpc-attempts %v", i+1, one.previous)
		}
	}
	return tries
}

// details reads the ErrorInfo and the RetryInfo of a local answer; either may be absent.
func details(t *testing.T, answer wire.Answer) (*errdetails.ErrorInfo, *errdetails.RetryInfo) {
	t.Helper()
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(answer.Trailers.Get("grpc-status-details-bin"), "="))
	var status spb.Status
	if err == nil {
		err = proto.Unmarshal(raw, &status)
	}
	if err != nil {
		t.Fatalf("grpc-status-details-bin: %v in %v", err, answer)
	}
	info, retry := &errdetails.ErrorInfo{}, (*errdetails.RetryInfo)(nil)
	for _, detail := range status.Details {
		_ = detail.UnmarshalTo(info)
		if found := new(errdetails.RetryInfo); detail.UnmarshalTo(found) == nil {
			retry = found
		}
	}
	return info, retry
}
