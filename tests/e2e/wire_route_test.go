package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestRoutes sends calls by authority, method and metadata; the first match wins.
func TestRoutes(t *testing.T) {
	named := func(name string) string {
		return scripted(t, func(c *wire.Conn, stream uint32) {
			c.Headers(stream, true, wire.OK(field("grpc-status", "0"), field("x-served-by", name))...)
		}).Address
	}
	listen := proxy.Address(t)
	proxy.Start(t, fmt.Sprintf(`outbound:
  - listen: "%s"
    routes:
      - { authority: "payment*", methods: ["pay.v1.Pay/Refund"], service: refund }
      - { authority: "payment*", metadata: { x-canary: "1" }, service: canary }
      - { authority: ["payment*", "bank.example"], service: payment }
      - { methods: ["ledger.v1.Ledger/*"], service: ledger }
services:
  refund: { endpoints: { static: [ "%s" ] }, tls: off }
  canary: { endpoints: { static: [ "%s" ] }, tls: off }
  payment: { endpoints: { static: [ "%s" ] }, tls: off }
  ledger: { endpoints: { static: [ "%s" ] }, tls: off }
`, listen, named("refund"), named("canary"), named("payment"), named("ledger")))
	client := wire.Dial(t, listen, nil)
	for i, c := range []struct {
		authority, path string
		more            []wire.Field
		want            string
	}{
		{"payment", "/pay.v1.Pay/Refund", nil, "refund"},
		{"payment.shop:8443", "/pay.v1.Pay/Refund", []wire.Field{field("x-canary", "1")}, "refund"},
		{"payment.shop", "/pay.v1.Pay/Charge", []wire.Field{field("x-canary", "1")}, "canary"},
		{"payment.shop", "/pay.v1.Pay/Charge", []wire.Field{field("x-canary", "2")}, "payment"},
		{"PayMent.Shop", "/pay.v1.Pay/Charge", nil, "payment"},
		{"bank.example:443", "/any.Thing/At", nil, "payment"},
		{"bank.example.org", "/any.Thing/At", nil, ""},
		{"other", "/ledger.v1.Ledger/Post", nil, "ledger"},
		{"other", "/ledger.v1.Ledger2/Post", nil, ""},
		{"other", "/ledger.v1.ledger/Post", nil, ""},
		{"xpayment", "/pay.v1.Pay/Charge", nil, ""},
	} {
		fields := wire.Request(c.path, c.more...)
		fields[3] = field(":authority", c.authority)
		answer := client.Call(uint32(2*i+1), nil, fields...)
		if got := answer.Trailers.Get("x-served-by"); got != c.want {
			t.Errorf("%s %s %v: served by %q, expected %q", c.authority, c.path, c.more, got, c.want)
		}
		if c.want == "" {
			wantLocal(t, answer, "12", "NO_ROUTE")
		}
	}
}

// TestSplit shares calls between two services by weight.
func TestSplit(t *testing.T) {
	var counts [2]atomic.Int32
	var addresses [2]string
	for i := range counts {
		addresses[i] = scripted(t, func(c *wire.Conn, stream uint32) {
			counts[i].Add(1)
			c.Headers(stream, true, wire.OK(field("grpc-status", "0"))...)
		}).Address
	}
	listen := proxy.Address(t)
	proxy.Start(t, fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { split: { old: 90, new: 10 } } ] }\nservices:\n  old: { endpoints: { static: [ \"%s\" ] }, tls: off }\n  new: { endpoints: { static: [ \"%s\" ] }, tls: off }\n",
		listen, addresses[0], addresses[1]))
	client := wire.DialAs(t, listen, nil, wire.Behaviour{Quiet: true})
	const calls = 2000
	for i := range calls {
		wantStatus(t, client.Call(uint32(2*i+1), nil, wire.Request(echoPath)...), "0")
	}
	if got := counts[1].Load(); got < 140 || got > 260 { // four and a half standard deviations around 200
		t.Errorf("%d of %d calls went to the service with a tenth of the weight", got, calls)
	}
	if total := counts[0].Load() + counts[1].Load(); total != calls {
		t.Errorf("%d calls were served %d times", calls, total)
	}
}
