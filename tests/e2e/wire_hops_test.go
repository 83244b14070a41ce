package e2e

import (
	"fmt"
	"testing"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

const unprocessed = "outrigger-unprocessed"

// TestUnprocessedIsSentAgain has one of two inbound sidecars before a service that is down: what it could not forward goes
// to the other, even for calls that may not be repeated.
func TestUnprocessedIsSentAgain(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	payment := cert.Write(t, dir, "payment", ca.Service(t, "payment"), ca)
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	var sidecars []string
	for _, forward := range []string{proxy.Address(t), endpoint.Address} {
		listen := proxy.Address(t)
		proxy.Start(t, identity(payment)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, forward))
		sidecars = append(sidecars, listen)
	}
	entry := proxy.Address(t)
	proxy.Start(t, identity(order)+outboundYAML(entry, sidecars,
		fmt.Sprintf("tls: mutual, balance: round_robin, peer: { identity: \"%s\" }", cert.ID("payment")), ""))
	client := wire.Dial(t, entry, nil)
	stream := uint32(1)
	eventually(t, "both sidecars are connected", func() bool {
		stream += 2
		return client.Call(stream, []byte("x"), wire.Request(echoPath)...).Status() == "0"
	})
	const calls = 20
	served := len(endpoint.Requests())
	for i := range calls {
		answer := client.Call(uint32(2*i+10001), []byte("x"), wire.Request(echoPath)...)
		if answer.Status() != "0" || answer.Headers.Has(unprocessed) || answer.Trailers.Has(unprocessed) {
			t.Errorf("call %d: %v", i, answer)
		}
	}
	if n := len(endpoint.Requests()) - served; n != calls {
		t.Errorf("%d calls were served %d times", calls, n)
	}
}

// TestUnprocessedOfStrangers is said by an endpoint that no certificate vouches for: it is neither believed nor passed on.
func TestUnprocessedOfStrangers(t *testing.T) {
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, true, wire.OK(field("grpc-status", "14"), field(unprocessed, "1"))...)
	})
	for name, start := range map[string]func() string{
		"inbound":  func() string { _, address := inbound(t, endpoint.Address, ""); return address },
		"outbound": func() string { _, address := outbound(t, []string{endpoint.Address}, "", ""); return address },
	} {
		before := len(endpoint.Requests())
		answer := wire.Dial(t, start(), nil).Call(1, nil, wire.Request(echoPath)...)
		wantStatus(t, answer, "14")
		if answer.Trailers.Has(unprocessed) {
			t.Errorf("%s: passed on: %v", name, answer)
		}
		if n := len(endpoint.Requests()) - before; n != 1 {
			t.Errorf("%s: sent %d times", name, n)
		}
	}
}

// TestUnprocessedFromTheService: what the service behind an inbound sidecar says of itself does not reach the outbound one.
func TestUnprocessedFromTheService(t *testing.T) {
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, true, wire.OK(field("grpc-status", "14"), field(unprocessed, "1"))...)
	})
	pair := startPair(t, endpoint.Address)
	answer := wire.Dial(t, pair.entry, nil).Call(1, nil, wire.Request(echoPath)...)
	wantStatus(t, answer, "14")
	if n := len(endpoint.Requests()); n != 1 || answer.Trailers.Has(unprocessed) {
		t.Errorf("sent %d times, answered with %v", n, answer)
	}
}
