package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"outrigger/tests/e2e/internal/dns"
	"outrigger/tests/e2e/internal/proxy"
)

const srvName = "_grpc._tcp.payment.test."

// startSRV is a proxy whose service has SRV records; hosts are "h1.test." at 127.0.11.1 and so on.
func startSRV(t *testing.T, server *dns.Server) named {
	t.Helper()
	entry := proxy.Address(t)
	yaml := fmt.Sprintf("outbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n  echo: { endpoints: { srv: %q }, tls: off }\n", entry, strings.TrimSuffix(srvName, ".")+".")
	return named{proxy.StartWith(t, yaml, proxy.Options{Wrapper: server.Wrapper(t, "")}), entry}
}

// TestSRVRanksAndChanges honours weights and priorities, follows changes without a failed call, and keeps the last good
// records when wrong answers come.
func TestSRVRanksAndChanges(t *testing.T) {
	t.Parallel()
	var records atomic.Pointer[dns.Reply]
	say := func(r dns.Reply) { records.Store(&r) }
	server := dns.Listen(t, dns.Reply{})
	endpoints := startEverywhere(t)
	port := uint16(endpoints.port)
	say(dns.Reply{Services: []dns.Service{{Priority: 0, Weight: 1, Port: port, Host: "h1.test."}, {Priority: 0, Weight: 3, Port: port, Host: "h2.test."}, {Priority: 5, Weight: 9, Port: port, Host: "h3.test."}}})
	server.SayOf(func(name string) dns.Reply {
		var n int
		if strings.EqualFold(name, srvName) {
			return *records.Load()
		} else if _, err := fmt.Sscanf(name, "h%d.test.", &n); err != nil {
			return dns.Reply{Code: dnsmessage.RCodeNameError}
		}
		return dns.Reply{Addresses: addresses(fmt.Sprintf("127.0.11.%d", n))}
	})
	p := startSRV(t, server)
	client := dial(t, p.entry)
	eventually(t, "both of the first are connected", func() bool {
		return callOnce(client, time.Second) == nil && endpoints.open("127.0.11.1") == 1 && endpoints.open("127.0.11.2") == 1
	})
	start := time.Now()
	for range 400 {
		if err := callOnce(client, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	light, heavy := endpoints.called("127.0.11.1", start), endpoints.called("127.0.11.2", start)
	if light+heavy < 400 || light < 50 || light > 160 {
		t.Errorf("%d and %d calls by weights of 1 and 3", light, heavy)
	}
	if endpoints.called("127.0.11.3", time.Time{}) > 0 {
		t.Error("priority 5 was called beside priority 0")
	}
	calls := startLoad(t, p.entry, 100)
	say(dns.Reply{Services: []dns.Service{{Priority: 5, Port: port, Host: "h3.test."}, {Priority: 6, Port: port, Host: "h4.test."}}})
	eventually(t, "the next priority is called", func() bool { return endpoints.called("127.0.11.3", start) > 0 })
	eventually(t, "what went is closed", func() bool { return endpoints.open("127.0.11.1")+endpoints.open("127.0.11.2") == 0 })
	for _, wrong := range []struct {
		reason string
		reply  dns.Reply
	}{
		{"servfail", dns.Reply{Code: dnsmessage.RCodeServerFailure}},
		{"empty", dns.Reply{}},
		{"malformed", dns.Reply{Garbage: true, Services: []dns.Service{{Port: port, Host: "h1.test."}}}},
	} {
		say(wrong.reply)
		p.Eventually(15*time.Second, wrong.reason+" is counted", func() bool {
			n, ok := p.Metric("outrigger_discovery_failures_total", `service="echo"`, fmt.Sprintf("reason=%q", wrong.reason))
			return ok && n > 0
		})
	}
	if n := p.metric(t, "outrigger_discovery_endpoints", `service="echo"`); n != 2 {
		t.Errorf("%v endpoints, expected the 2 of the last good answer", n)
	}
	calls.wantNoneFailed(t)
	wantSlow(t, server)
}
