package e2e

import (
	"net"
	"testing"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// safePolicy tries everything again that may be, for methods known to be idempotent: echoPath is not one of them.
const safePolicy = idempotentKey + `, retry: { max_attempts: 3, on: [UNAVAILABLE, INTERNAL, CANCELLED, DEADLINE_EXCEEDED, UNKNOWN], per_try_timeout: 100ms }, ` +
	`retry_budget: off, limits: { pending_timeout: 4s }`

// breaks is what an endpoint does with a call once it is whole.
type breaks func(c *wire.Conn, stream uint32)

// TestC2SafeRetryMatrix lets an unsafe call, which every retry policy leaves alone, meet an endpoint first that breaks in
// one of the eleven ways, and then one that serves. Only what no application can have seen is sent again.
func TestC2SafeRetryMatrix(t *testing.T) {
	t.Run("1 connect refused", func(t *testing.T) { wantMoved(t, proxy.Address(t)) })
	t.Run("2 connect timeout", func(t *testing.T) { wantMoved(t, wire.Silent(t)) })
	t.Run("3 TLS fails", matrixTLS)
	t.Run("4 queued, no byte written", matrixUnwritten)
	for _, c := range []struct {
		name   string
		breaks breaks
		status string
		again  bool
	}{
		{"5 REFUSED_STREAM", func(c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeRefusedStream) }, "0", true},
		{"6 GOAWAY, the call above", func(c *wire.Conn, s uint32) { c.GoAway(s-1, http2.ErrCodeNo) }, "0", true},
		{"7 GOAWAY, the call not above", func(c *wire.Conn, s uint32) {
			c.GoAway(s, http2.ErrCodeNo)
			c.Close()
		}, "14", false},
		{"8 RST_STREAM before headers", func(c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeInternal) }, "13", false},
		{"9 closed after headers were written", func(c *wire.Conn, _ uint32) { c.Close() }, "14", false},
		{"10 timeout", func(*wire.Conn, uint32) {}, "4", false},
		{"11 after response headers", func(c *wire.Conn, s uint32) {
			c.Headers(s, false, wire.OK()...)
			c.Reset(s, http2.ErrCodeInternal)
		}, "13", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantSent(t, map[bool]int{false: 1, true: 2}[c.again], c.status, func(n int, conn *wire.Conn, stream uint32) {
				if n == 0 {
					c.breaks(conn, stream)
					return
				}
				conn.Respond(stream, nil)
			})
		})
	}
	t.Run("REFUSED_STREAM twice", func(t *testing.T) { // the peer's word counts once
		wantSent(t, 2, "14", func(_ int, c *wire.Conn, s uint32) { c.Reset(s, http2.ErrCodeRefusedStream) })
	})
	t.Run("GOAWAY above twice", func(t *testing.T) {
		wantSent(t, 2, "14", func(_ int, c *wire.Conn, s uint32) { c.GoAway(s-1, http2.ErrCodeNo) })
	})
}

// wantSent makes an unsafe call before two endpoints whose attempts follow the script, and counts those.
func wantSent(t *testing.T, times int, status string, answer script) {
	t.Helper()
	l := endpointLine(t, 2, answer)
	_, entry := outbound(t, l.addresses, "balance: round_robin", safePolicy)
	wantStatus(t, unsafeCall(t, entry, map[bool]string{true: "300m", false: "20S"}[status == "4"]), status)
	if n := len(l.seen()); n != times {
		t.Errorf("sent %d times, expected %d", n, times)
	}
}

// unsafeCall makes one call to a method that may not be repeated.
func unsafeCall(t *testing.T, entry, timeout string) wire.Answer {
	t.Helper()
	return wire.Dial(t, entry, nil).Call(1, []byte("pay"), wire.Request(echoPath, timeoutField(timeout))...)
}

// wantMoved makes a call that finds nobody at its first endpoint and must be served by the second.
func wantMoved(t *testing.T, nobody string) {
	t.Helper()
	good := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, entry := outbound(t, []string{nobody, good.Address}, "balance: pick_first", safePolicy)
	wantStatus(t, unsafeCall(t, entry, "20S"), "0")
	wantRequests(t, good, 1)
}

func matrixTLS(t *testing.T) {
	ca, stranger, dir := cert.New(t), cert.New(t), t.TempDir()
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	serves := wire.Behaviour{OnFrame: wire.Echo}
	bad := wire.Listen(t, "127.0.0.1:0", ca.ServerTLS(t, stranger.Service(t, "payment")), serves)
	good := wire.Listen(t, "127.0.0.1:0", ca.ServerTLS(t, ca.Service(t, "payment")), serves)
	entry := proxy.Address(t)
	proxy.Start(t, identity(order)+outboundYAML(entry, []string{bad.Address, good.Address},
		`balance: pick_first, tls: mutual, peer: { identity: "`+cert.ID("payment")+`" }`, safePolicy))
	wantStatus(t, unsafeCall(t, entry, "20S"), "0")
	if bad.Accepted() == 0 {
		t.Error("the first endpoint was never connected to")
	}
	wantRequests(t, bad, 0)
	wantRequests(t, good, 1)
}

// matrixUnwritten fills the socket to the first endpoint with the upload of one call, so that another one stays in the
// output behind it until the connection is reset.
func matrixUnwritten(t *testing.T) {
	bad := wire.Local(t, wire.Behaviour{KeepWindow: true, Quiet: true,
		Settings: []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1}}})
	good := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, entry := outbound(t, []string{bad.Address, good.Address}, "balance: pick_first", safePolicy)
	client := wire.Dial(t, entry, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	up := bad.Accept()
	up.NextRequest(0)
	up.Window(0, 1<<30)
	up.PingWait()
	up.Pause()
	if sent := client.Send(1, false, make([]byte, 64<<20), still); sent == 64<<20 {
		t.Fatal("the socket took the whole upload")
	}
	client.Headers(3, false, wire.Request(echoPath, timeoutField("3S"))...)
	client.Data(3, true, wire.Message([]byte("pay")))
	client.PingWait() // both have been read
	bad.Close()       // the other one is next
	_ = up.Net.(*net.TCPConn).SetLinger(0)
	up.Close()
	wantStatus(t, client.Answer(3), "0")
	wantStatus(t, client.Answer(1), "14")
	wantRequests(t, good, 1)
	if n, _ := p.Metric("outrigger_transparent_retries_total", `cause="unsent"`); n != 1 {
		t.Errorf("%v calls were sent again because they had never left, expected 1", n)
	}
}

// wantRequests checks how many requests an endpoint has seen.
func wantRequests(t *testing.T, s *wire.Server, count int) {
	t.Helper()
	if n := len(s.Requests()); n != count {
		t.Errorf("%s saw %d requests, expected %d", s.Address, n, count)
	}
}
