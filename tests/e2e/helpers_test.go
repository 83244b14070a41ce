package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

const echoPath = "/test.Echo/Unary"

// inbound starts a proxy in the clear before an endpoint; policy is the flow mapping of its policy, or "".
func inbound(t *testing.T, forward, policy string) (*proxy.Proxy, string) {
	t.Helper()
	listen := proxy.Address(t)
	p := proxy.Start(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\"%s }\n%s",
		listen, forward, policyKey(policy), policySection(policy)))
	return p, listen
}

// outbound starts a proxy in the clear that balances over endpoints; service holds more keys of the service, such as
// "balance: round_robin".
func outbound(t *testing.T, endpoints []string, service, policy string) (*proxy.Proxy, string) {
	t.Helper()
	listen := proxy.Address(t)
	p := proxy.Start(t, outboundYAML(listen, endpoints, service, policy))
	return p, listen
}

func outboundYAML(listen string, endpoints []string, service, policy string) string {
	if !strings.Contains(service, "tls:") {
		service = join(service, "tls: off")
	}
	return fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { service: echo } ] }\nservices:\n  echo: { endpoints: { static: [ \"%s\" ] }, %s%s }\n%s",
		listen, strings.Join(endpoints, "\", \""), service, policyKey(policy), policySection(policy))
}

func policyKey(policy string) string {
	if policy == "" {
		return ""
	}
	return ", policy: p"
}

func policySection(policy string) string {
	if policy == "" {
		return ""
	}
	return fmt.Sprintf("policies:\n  p: { %s }\n", policy)
}

func join(parts ...string) string {
	var kept []string
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, ", ")
}

// identity is the identity section for files that cert.Write made.
func identity(f cert.Files) string {
	return fmt.Sprintf("identity: { certificate: %s, private_key: %s, trust: %s }\n", f.Cert, f.Key, f.Trust)
}

// sidecars are an outbound and an inbound proxy with mTLS between them.
type sidecars struct {
	entry   string // where the caller connects
	between string // where the inbound one listens
	out, in *proxy.Proxy
}

// startPair puts two sidecars before an endpoint in the clear.
func startPair(t *testing.T, forward string) sidecars {
	t.Helper()
	ca, dir := cert.New(t), t.TempDir()
	payment := cert.Write(t, dir, "payment", ca.Service(t, "payment"), ca)
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	s := sidecars{entry: proxy.Address(t), between: proxy.Address(t)}
	s.in = proxy.Start(t, identity(payment)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", s.between, forward))
	s.out = proxy.Start(t, identity(order)+outboundYAML(s.entry, []string{s.between},
		fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", cert.ID("payment")), ""))
	return s
}

// wantStatus checks that an answer has one final status, and it is the expected one.
func wantStatus(t *testing.T, a wire.Answer, status string) {
	t.Helper()
	if got := a.Trailers.All("grpc-status"); len(got) != 1 || got[0] != status {
		t.Fatalf("expected grpc-status %s once, got %v in %v", status, got, a)
	}
}

// wantFinal checks that a stream ended once: at most one header block and one trailer block, nothing behind the end but
// RST_STREAM NO_ERROR.
func wantFinal(t *testing.T, c *wire.Conn, stream uint32) {
	t.Helper()
	c.PingWait()
	blocks, ended := 0, false
	for _, f := range c.Frames() {
		if f.Stream != stream || f.Type == http2.FrameWindowUpdate {
			continue
		}
		if ended && (f.Type != http2.FrameRSTStream || f.Code != http2.ErrCodeNo) {
			t.Fatalf("stream %d: after its end came %v", stream, f)
		}
		if f.Type == http2.FrameHeaders && !strings.HasPrefix(f.Get(":status"), "1") {
			blocks++
		}
		ended = ended || f.End() || f.Type == http2.FrameRSTStream
	}
	if blocks > 2 || !ended {
		t.Fatalf("stream %d: %d header blocks, ended %v", stream, blocks, ended)
	}
}

// eventually polls a condition of the peers.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(wire.Patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", wire.Patience, what)
		}
	}
}

// newSeed prints the seed of a random run; E2E_SEED repeats one.
func newSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if again := os.Getenv("E2E_SEED"); again != "" {
		fmt.Sscan(again, &seed)
	}
	t.Logf("seed %d", seed)
	return seed
}

func field(name, value string) wire.Field { return wire.Field{Name: name, Value: value} }
