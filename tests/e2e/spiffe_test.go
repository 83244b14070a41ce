package e2e

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
	"outrigger/tests/e2e/internal/workload"
)

// der are the bytes of all blocks of a PEM text.
func der(text []byte) (all []byte) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		all = append(all, block.Bytes...)
	}
	return all
}

// svid is an SVID that the authority signs and whose bundle it is.
func svid(t *testing.T, ca *cert.Authority, leaf cert.Leaf) workload.SVID {
	t.Helper()
	pair := ca.Issue(t, leaf)
	return workload.SVID{ID: leaf.URI, Chain: der(pair.Cert), Key: der(pair.Key), Bundle: der(ca.PEM)}
}

// agentGuard is an inbound listener whose identity comes from a Workload API.
type agentGuard struct {
	*proxy.Proxy
	agent  *workload.Server
	listen string
}

func startAgentGuard(t *testing.T, options proxy.Options) *agentGuard {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent.sock")
	g := &agentGuard{agent: workload.Listen(t, socket), listen: proxy.Address(t)}
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	options.NoWait = true
	g.Proxy = proxy.StartWith(t, fmt.Sprintf("identity: { spiffe_socket: \"unix://%s\" }\ninbound:\n  - { listen: \"%s\", forward: \"%s\" }\n",
		socket, g.listen, endpoint.Address), options)
	return g
}

// as connects with the certificate of a pair; nil when the handshake fails.
func (g *agentGuard) as(t *testing.T, config *tls.Config) error {
	t.Helper()
	config.InsecureSkipVerify = true // what the proxy shows is looked at where it matters
	return tryTLS(g.listen, config)
}

// shown is the serial number of the certificate that the proxy shows to a caller.
func (g *agentGuard) shown(t *testing.T, config *tls.Config) string {
	t.Helper()
	config.InsecureSkipVerify = true
	conn, err := tls.Dial("tcp", g.listen, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func callerTLS(t *testing.T, ca *cert.Authority, leaf cert.Leaf) *tls.Config {
	t.Helper()
	pair := ca.Issue(t, leaf)
	return ca.ClientTLS(t, &pair, "localhost")
}

// TestWorkloadAPI has both sidecars of a call get all of their identity from a Workload API: ready only then, and
// rotated without a failed call.
func TestWorkloadAPI(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	between, entry := proxy.Address(t), proxy.Address(t)
	payment := workload.Listen(t, filepath.Join(dir, "payment.sock"))
	order := workload.Listen(t, filepath.Join(dir, "order.sock"))
	in := proxy.StartWith(t, fmt.Sprintf("identity: { spiffe_socket: \"unix://%s/payment.sock\" }\ninbound:\n  - { listen: \"%s\", forward: \"%s\", allow: [ { identity: \"%s\" } ] }\n",
		dir, between, endpoint.Address, cert.ID("order")), proxy.Options{NoWait: true})
	out := proxy.StartWith(t, fmt.Sprintf("identity: { spiffe_socket: \"unix:%s/order.sock\" }\n", dir)+outboundYAML(entry, []string{between},
		fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", cert.ID("payment")), ""), proxy.Options{NoWait: true})
	for _, p := range []*proxy.Proxy{in, out} {
		p.Eventually(wire.Patience, "the admin pages", func() bool { code, _ := p.Get("/live"); return code == 200 })
		if code, _ := p.Get("/ready"); code != 503 {
			t.Errorf("/ready answers %d without an SVID", code)
		}
	}
	give := func(ca *cert.Authority) {
		payment.Give(svid(t, ca, cert.Leaf{URI: cert.ID("payment")}).Message())
		order.Give(svid(t, ca, cert.Leaf{URI: cert.ID("order")}).Message())
	}
	give(ca)
	in.WaitReady()
	out.WaitReady()
	client := wire.Dial(t, entry, nil)
	stream := uint32(1)
	call := func(what string) {
		t.Helper()
		wantStatus(t, client.Call(stream, []byte(what), wire.Request(echoPath)...), "0")
		stream += 2
	}
	call("first")
	for round := range 20 { // new pairs of the same authority: nobody notices
		give(ca)
		call(fmt.Sprint("round ", round))
	}
	rotations := func(p *proxy.Proxy) (n int) {
		_, page := p.Get("/config")
		for _, m := range regexp.MustCompile(`"rotations": (\d+)`).FindAllStringSubmatch(page, -1) {
			v, _ := strconv.Atoi(m[1])
			n += v
		}
		return n
	}
	// A new authority: both are trusted for a while, then only the new one. Each step is taken before the next is given.
	next := cert.New(t)
	for _, step := range []struct{ signs, other *cert.Authority }{{ca, next}, {next, ca}, {next, nil}} {
		before := map[*proxy.Proxy]int{in: rotations(in), out: rotations(out)}
		for name, api := range map[string]*workload.Server{"payment": payment, "order": order} {
			s := svid(t, step.signs, cert.Leaf{URI: cert.ID(name)})
			if step.other != nil {
				s.Bundle = append(s.Bundle, der(step.other.PEM)...)
			}
			api.Give(s.Message())
		}
		for p, n := range before {
			p.Eventually(wire.Patience, "the change is taken", func() bool { return rotations(p) > n })
		}
		for range 5 {
			call("during a change of the authority")
		}
	}
	if n, _ := in.Metric("outrigger_workload_api_connected"); n != 1 {
		t.Errorf("outrigger_workload_api_connected is %v", n)
	}
}

// TestWorkloadAPIKeepsTheGood gives what cannot be used: the SVID that is in force stays, as a whole.
func TestWorkloadAPIKeepsTheGood(t *testing.T) {
	ca := cert.New(t)
	g := startAgentGuard(t, proxy.Options{})
	leaf := cert.Leaf{URI: cert.ID("payment")}
	good := svid(t, ca, leaf)
	g.agent.Give(good.Message())
	g.WaitReady()
	caller := func() *tls.Config { return callerTLS(t, ca, cert.Leaf{URI: cert.ID("order")}) }
	before := g.shown(t, caller())
	other := svid(t, cert.New(t), leaf)
	change := func(f func(*workload.SVID)) []byte {
		s := svid(t, ca, leaf)
		f(&s)
		return s.Message()
	}
	for name, message := range map[string][]byte{
		"no message":              {0xff, 0xff, 0xff},
		"no SVID":                 {},
		"the key of another":      change(func(s *workload.SVID) { s.Key = other.Key }),
		"a key cut short":         change(func(s *workload.SVID) { s.Key = s.Key[:20] }),
		"a certificate cut short": change(func(s *workload.SVID) { s.Chain = s.Chain[:100] }),
		"a bundle that is none":   change(func(s *workload.SVID) { s.Bundle = []byte("bundle") }),
		"no bundle":               change(func(s *workload.SVID) { s.Bundle = nil }),
		"the id of another":       change(func(s *workload.SVID) { s.ID = cert.ID("ledger") }),
		"an expired certificate": svid(t, ca, cert.Leaf{URI: cert.ID("payment"), NotBefore: time.Now().Add(-2 * time.Hour),
			NotAfter: time.Now().Add(-time.Hour)}).Message(),
		"a federated bundle that is none": change(func(s *workload.SVID) {
			s.Federated = map[string][]byte{"spiffe://other.example": []byte("bundle")}
		}),
		"a bundle of no trust domain": change(func(s *workload.SVID) { s.Federated = map[string][]byte{"Other": s.Bundle} }),
		"a list that is none":         change(func(s *workload.SVID) { s.CRLs = [][]byte{[]byte("list")} }),
	} {
		refused := strings.Count(g.Log(), "identity_refused")
		g.agent.Give(message)
		g.Eventually(wire.Patience, name+" is refused", func() bool { return strings.Count(g.Log(), "identity_refused") > refused })
		if now := g.shown(t, caller()); now != before {
			t.Errorf("%s: the certificate %s took the place of %s", name, now, before)
		}
		if err := g.as(t, caller()); err != nil {
			t.Errorf("%s: callers are refused: %v", name, err)
		}
	}
	g.agent.Give(change(func(s *workload.SVID) { s.Alternates = []workload.SVID{other} }))
	g.Eventually(wire.Patience, "a good one is taken", func() bool { return g.shown(t, caller()) != before })
	if g.agent.Opened() != 1 {
		t.Errorf("%d streams were opened, expected 1", g.agent.Opened())
	}
}

// TestWorkloadAPIComesBack has the agent refuse, go away, and be there again.
func TestWorkloadAPIComesBack(t *testing.T) {
	ca := cert.New(t)
	g := startAgentGuard(t, proxy.Options{})
	g.agent.Refuse(status.Error(codes.PermissionDenied, "no identity issued"))
	g.Eventually(wire.Patience, "it is refused several times", func() bool {
		return g.agent.Opened() > 2 && strings.Contains(g.Log(), "PERMISSION_DENIED: no identity issued")
	})
	if code, _ := g.Get("/ready"); code != 503 {
		t.Errorf("/ready answers %d without an SVID", code)
	}
	g.agent.Give(svid(t, ca, cert.Leaf{URI: cert.ID("payment")}).Message())
	g.WaitReady()
	caller := func() *tls.Config { return callerTLS(t, ca, cert.Leaf{URI: cert.ID("order")}) }
	before := g.shown(t, caller())
	g.agent.Refuse(nil) // ends the streams; new ones wait
	g.Eventually(wire.Patience, "another stream", func() bool {
		n, _ := g.Metric("outrigger_workload_api_failures_total")
		return n >= 3
	})
	if now := g.shown(t, caller()); now != before {
		t.Errorf("the certificate %s took the place of %s while the agent was gone", now, before)
	}
	g.agent.Give(svid(t, ca, cert.Leaf{URI: cert.ID("payment")}).Message())
	g.Eventually(wire.Patience, "the next SVID", func() bool { return g.shown(t, caller()) != before })
	if code, _ := g.Get("/ready"); code != 200 {
		t.Errorf("/ready answers %d", code)
	}
}

// TestWorkloadAPIFederation has bundles of two trust domains: each vouches for its own workloads alone.
func TestWorkloadAPIFederation(t *testing.T) {
	ca, other, third := cert.New(t), cert.New(t), cert.New(t)
	g := startAgentGuard(t, proxy.Options{})
	s := svid(t, ca, cert.Leaf{URI: cert.ID("payment")})
	s.Federated = map[string][]byte{"spiffe://other.example": der(other.PEM)}
	g.agent.Give(s.Message())
	g.WaitReady()
	for _, c := range []struct {
		what  string
		ca    *cert.Authority
		leaf  cert.Leaf
		taken bool
	}{
		{"our own", ca, cert.Leaf{URI: cert.ID("order")}, true},
		{"without a SPIFFE id", ca, cert.Leaf{DNS: []string{"a.shop"}}, true},
		{"of the other domain", other, cert.Leaf{URI: "spiffe://other.example/order"}, true},
		{"of our domain by the other authority", other, cert.Leaf{URI: cert.ID("order")}, false},
		{"of the other domain by our authority", ca, cert.Leaf{URI: "spiffe://other.example/order"}, false},
		{"without a SPIFFE id by the other authority", other, cert.Leaf{DNS: []string{"a.shop"}}, false},
		{"of a domain nobody knows", third, cert.Leaf{URI: "spiffe://third.example/order"}, false},
		{"of a domain nobody knows by our authority", ca, cert.Leaf{URI: "spiffe://third.example/order"}, false},
	} {
		if err := g.as(t, callerTLS(t, c.ca, c.leaf)); (err == nil) != c.taken {
			t.Errorf("a caller %s: %v", c.what, err)
		}
	}
}
