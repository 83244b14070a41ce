package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// guard is an inbound listener with mTLS and a list of who may call, before an echo.
type guard struct {
	*proxy.Proxy
	ca       *cert.Authority
	listen   string
	endpoint *wire.Server
	identity string
}

func (g *guard) yaml(allow string) string {
	return g.identity + fmt.Sprintf("inbound:\n  - listen: \"%s\"\n    forward: \"%s\"\n    allow: %s\n", g.listen, g.endpoint.Address, allow)
}

func startGuard(t *testing.T, allow string) *guard {
	t.Helper()
	ca := cert.New(t)
	payment := ca.Service(t, "payment")
	g := &guard{ca: ca, listen: proxy.Address(t), endpoint: wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})}
	g.identity = identity(cert.Write(t, t.TempDir(), "payment", payment, ca))
	g.Proxy = proxy.Start(t, g.yaml(allow))
	return g
}

func (g *guard) dial(t *testing.T, leaf cert.Leaf) (*wire.Conn, cert.Pair) {
	t.Helper()
	pair := g.ca.Issue(t, leaf)
	return wire.Dial(t, g.listen, g.ca.ClientTLS(t, &pair, "localhost")), pair
}

// clientCert is what the endpoint read in x-forwarded-client-cert of the last request.
func (g *guard) clientCert() []string {
	requests := g.endpoint.Requests()
	return requests[len(requests)-1].All("x-forwarded-client-cert")
}

func TestAllow(t *testing.T) {
	g := startGuard(t, `[ { identity: "spiffe://shop.example/ns/*/sa/order", methods: [ "test.Echo/*" ] }, { methods: "a.Health/Check", source: [ 127.0.0.0/8, "::1" ] }, { methods: "a.Far/Away", source: 10.0.0.0/8 } ]`)
	order, pair := g.dial(t, cert.Leaf{URI: cert.ID("order"), DNS: []string{"order.shop"}})
	cart, _ := g.dial(t, cert.Leaf{URI: cert.ID("cart")})
	host, _ := g.dial(t, cert.Leaf{DNS: []string{"host.shop"}})

	wantStatus(t, order.Call(1, []byte("x"), wire.Request(echoPath, wire.Field{Name: "x-forwarded-client-cert", Value: "URI=spiffe://shop.example/forged"})...), "0")
	block, _ := pem.Decode(pair.Cert)
	hash := sha256.Sum256(block.Bytes)
	want := fmt.Sprintf("By=%s;Hash=%s;URI=%s;DNS=order.shop", cert.ID("payment"), hex.EncodeToString(hash[:]), cert.ID("order"))
	if got := g.clientCert(); len(got) != 1 || got[0] != want {
		t.Errorf("x-forwarded-client-cert: expected once %s, got %q", want, got)
	}
	wantLocal(t, order.Call(3, nil, wire.Request("/test.Other/Unary")...), "7", "NOT_ALLOWED")
	wantLocal(t, order.Call(5, nil, wire.Request("/a.Far/Away")...), "7", "NOT_ALLOWED")
	wantLocal(t, cart.Call(1, []byte("x"), wire.Request(echoPath)...), "7", "NOT_ALLOWED")
	wantStatus(t, cart.Call(3, []byte("x"), wire.Request("/a.Health/Check")...), "0")
	wantLocal(t, host.Call(1, []byte("x"), wire.Request(echoPath)...), "16", "NO_IDENTITY")
	wantStatus(t, host.Call(3, []byte("x"), wire.Request("/a.Health/Check")...), "0")
	if n := len(g.endpoint.Requests()); n != 3 {
		t.Errorf("%d calls came to the endpoint, expected 3", n)
	}
	for decision, want := range map[string]float64{"allowed": 3, "not_allowed": 3, "no_identity": 1, "audit_not_allowed": 0} {
		if n, _ := g.Metric("outrigger_allow_calls_total", fmt.Sprintf("decision=%q", decision)); n != want {
			t.Errorf("%s: %v calls, expected %v", decision, n, want)
		}
	}
	if !strings.Contains(g.Log(), "call_denied") {
		t.Error("no line in the log about a denied call")
	}

	// explain says the same.
	for id, want := range map[string]string{cert.ID("order"): "passes ", cert.ID("cart"): "denied "} {
		out, err := exec.Command(proxy.Binary(t), "explain", "-c", g.Config, "--inbound", "--method", strings.TrimPrefix(echoPath, "/"), "--identity", id).Output()
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(out)), " "), "allow "+want) {
			t.Errorf("explain for %s: %v, expected allow %s in:\n%s", id, err, want, out)
		}
	}
}

// TestAllowReload changes the list under open connections that call all the time: each call gets the answer of one list or
// of the other, and once the reload is done only that of the other.
func TestAllowReload(t *testing.T) {
	only := func(name, mode string) string {
		return fmt.Sprintf(`{ mode: %s, rules: [ { identity: "%s" } ] }`, mode, cert.ID(name))
	}
	g := startGuard(t, only("order", "enforce"))
	const callers = 4
	var conns [callers]*wire.Conn
	for i := range conns {
		conns[i], _ = g.dial(t, cert.Leaf{URI: cert.ID("order")})
	}
	next := uint32(1)
	for round, c := range []struct{ name, mode, status string }{
		{"payment", "enforce", "7"}, {"order", "enforce", "0"}, {"payment", "audit", "0"}, {"payment", "enforce", "7"},
	} {
		stop, started := make(chan struct{}), next
		var group sync.WaitGroup
		for _, conn := range conns {
			group.Add(1)
			go func(conn *wire.Conn) {
				defer group.Done()
				for stream := started; ; stream += 2 {
					select {
					case <-stop:
						return
					default:
						if stream-started > 2000 {
							return
						}
					}
					if s := conn.Call(stream, []byte("x"), wire.Request(echoPath)...).Status(); s != "0" && s != "7" {
						t.Errorf("status %q in round %d", s, round)
						return
					}
				}
			}(conn)
		}
		g.Write(g.yaml(only(c.name, c.mode)))
		probe, _ := g.dial(t, cert.Leaf{URI: cert.ID("order")})
		stream := uint32(1)
		g.Eventually(wire.Patience, "the list is in force", func() bool {
			stream += 2
			return probe.Call(stream, nil, wire.Request(echoPath)...).Status() == c.status && g.generation() == float64(round+2)
		})
		close(stop)
		group.Wait()
		next = started + 2004
		for _, conn := range conns {
			if s := conn.Call(next, []byte("x"), wire.Request(echoPath)...).Status(); s != c.status {
				t.Fatalf("round %d: status %s after the reload, expected %s", round, s, c.status)
			}
		}
		next += 2
	}
	if n, _ := g.Metric("outrigger_allow_calls_total", `decision="audit_not_allowed"`); n < callers {
		t.Errorf("%v calls would have been denied, expected %d at least", n, callers)
	}
}

func (g *guard) generation() float64 {
	n, _ := g.Metric("outrigger_config_generation")
	return n
}
