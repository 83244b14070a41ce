package e2e

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

func streamsAllowed(n uint32) []http2.Setting {
	return []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: n}}
}

// TestPool fills connections one after the other: a second one opens only when the first is full, none carries more than
// the peer's SETTINGS allow, and what is over waits.
func TestPool(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: streamsAllowed(3)})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 2, max_pending: 2, pending_timeout: 5s }")
	client := wire.Dial(t, address, nil)
	open := func(i int) { client.Headers(uint32(2*i+1), true, wire.Request(fmt.Sprintf("/test.Echo/Call%d", i))...) }
	arrived := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d calls at the endpoint", n), func() bool { return len(endpoint.Requests()) == n })
	}
	open(0)
	first := endpoint.Accept()
	first.PingWait() // SETTINGS have been read
	open(1)
	open(2)
	arrived(3)
	if n := endpoint.Accepted(); n != 1 {
		t.Fatalf("%d connections for as many calls as one allows", n)
	}
	for i := 3; i < 6; i++ {
		open(i)
		arrived(i + 1)
	}
	if n := endpoint.Accepted(); n != 2 {
		t.Fatalf("%d connections for as many calls as two allow", n)
	}
	open(6)
	open(7)
	client.PingWait()
	open(8) // one more than may wait
	wantLocal(t, client.Answer(17), "8", "OVERLOADED")
	for _, c := range endpoint.Conns() {
		c.PingWait()
		if n := c.Count(func(f wire.Frame) bool { return f.Has(":path") }); n != 3 {
			t.Errorf("a connection that allows 3 streams carries %d", n)
		}
	}
	for _, request := range first.Frames() {
		if request.Get(":path") == "/test.Echo/Call0" {
			first.Respond(request.Stream, nil)
		}
	}
	arrived(7)
	if n := endpoint.Accepted(); n != 2 {
		t.Errorf("%d connections, at most 2 were allowed", n)
	}
	wantStatus(t, client.Answer(1), "0")
}

// TestPendingTimeout lets a waiting call run out of its time in the queue.
func TestPendingTimeout(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: streamsAllowed(1)})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 1, pending_timeout: 150ms }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	up.NextRequest(0)
	up.PingWait()
	start := time.Now()
	client.Headers(3, true, wire.Request(echoPath)...)
	answer := client.Answer(3)
	if got := answer.Status(); got != "8" && got != "14" {
		t.Errorf("expected RESOURCE_EXHAUSTED or UNAVAILABLE, got %v", answer)
	}
	wantReason(t, answer, "OVERLOADED", "NO_ENDPOINT")
	wantTook(t, answer.At.Sub(start), 150*time.Millisecond)
}

// TestMaxRequests refuses the call over the limit and serves again once there is room.
func TestMaxRequests(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, address := inbound(t, endpoint.Address, "limits: { max_requests: 2 }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	client.Headers(3, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	eventually(t, "two calls at the endpoint", func() bool { return len(endpoint.Requests()) == 2 })
	client.Headers(5, true, wire.Request(echoPath)...)
	wantLocal(t, client.Answer(5), "8", "OVERLOADED")
	up.Respond(endpoint.Requests()[0].Stream, nil)
	wantStatus(t, client.Answer(1), "0")
	client.Headers(7, true, wire.Request(echoPath)...)
	third := up.NextRequest(endpoint.Requests()[1].Stream)
	up.Respond(third.Stream, nil)
	wantStatus(t, client.Answer(7), "0")
}

// TestSettingsShrink lowers the peer's limit under a running connection.
func TestSettingsShrink(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: streamsAllowed(10)})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 1, pending_timeout: 5s }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	first := up.NextRequest(0)
	up.Settings(streamsAllowed(1)...)
	up.PingWait()
	client.Headers(3, true, wire.Request(echoPath)...)
	client.PingWait()
	up.PingWait()
	if n := len(endpoint.Requests()); n != 1 {
		t.Fatalf("%d calls on a connection that now allows one", n)
	}
	up.Respond(first.Stream, nil)
	up.Respond(up.NextRequest(first.Stream).Stream, nil)
	wantStatus(t, client.Answer(3), "0")
}

// TestGoAwayDrains has the endpoint say goodbye: what is in flight ends there, what is new goes to a new connection.
func TestGoAwayDrains(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, address := outbound(t, []string{endpoint.Address}, "", "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	old := endpoint.Accept()
	first := old.NextRequest(0)
	old.GoAway(1<<31-1, http2.ErrCodeNo)
	old.PingWait()
	client.Headers(3, true, wire.Request(echoPath)...)
	fresh := endpoint.Accept()
	second := fresh.NextRequest(0)
	old.GoAway(first.Stream, http2.ErrCodeNo)
	fresh.Respond(second.Stream, nil)
	wantStatus(t, client.Answer(3), "0")
	old.Respond(first.Stream, []byte("late"))
	answer := client.Answer(1)
	wantStatus(t, answer, "0")
	if _, closed := old.WaitClosed(wire.Patience); !closed {
		t.Error("the drained connection stays open")
	}
}

// TestGoAwayExcludes has the endpoint exclude a call that it got: it was not processed, so it may be sent again elsewhere,
// once, and never be served twice.
func TestGoAwayExcludes(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, address := outbound(t, []string{endpoint.Address}, "", "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	old := endpoint.Accept()
	old.NextRequest(0)
	old.GoAway(0, http2.ErrCodeNo)
	client.Headers(3, true, wire.Request("/test.Echo/New")...)
	fresh := endpoint.Accept()
	for _, path := range []string{"/test.Echo/New", echoPath} {
		request, ok := fresh.Find(still, func(f wire.Frame) bool { return f.Get(":path") == path })
		if ok {
			fresh.Respond(request.Stream, nil)
		}
	}
	wantStatus(t, client.Answer(3), "0")
	answer := client.Answer(1)
	if got := answer.Status(); got != "0" && got != "14" {
		t.Errorf("expected OK or UNAVAILABLE, got %v", answer)
	}
	wantFinal(t, client, 1)
}

// TestDeadEndpointIsPassedOver mixes endpoints that refuse, or speak TLS with a stranger's certificate, with one that
// serves: no call may fail, as none has left.
func TestDeadEndpointIsPassedOver(t *testing.T) {
	t.Run("connect refused", func(t *testing.T) {
		good := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
		for _, balance := range []string{"pick_first", "round_robin", "random", "least_request"} {
			_, address := outbound(t, []string{proxy.Address(t), good.Address}, "balance: "+balance, "")
			client := wire.Dial(t, address, nil)
			for i := range 20 {
				answer := client.Call(uint32(2*i+1), nil, wire.Request(echoPath)...)
				if answer.Status() != "0" {
					t.Fatalf("%s, call %d: %v", balance, i, answer)
				}
			}
		}
	})
	t.Run("TLS fails", func(t *testing.T) {
		ca, stranger, dir := cert.New(t), cert.New(t), t.TempDir()
		good := wire.Listen(t, "127.0.0.1:0", ca.ServerTLS(t, ca.Service(t, "payment")), wire.Behaviour{OnFrame: wire.Echo})
		bad := wire.Listen(t, "127.0.0.1:0", stranger.ServerTLS(t, stranger.Service(t, "payment")), wire.Behaviour{OnFrame: wire.Echo})
		order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
		listen := proxy.Address(t)
		proxy.Start(t, identity(order)+outboundYAML(listen, []string{bad.Address, good.Address},
			fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }, balance: round_robin", cert.ID("payment")), ""))
		client := wire.Dial(t, listen, nil)
		for i := range 20 {
			wantStatus(t, client.Call(uint32(2*i+1), nil, wire.Request(echoPath)...), "0")
		}
		if n := len(bad.Conns()); n != 0 {
			t.Errorf("%d connections to the stranger got as far as HTTP/2", n)
		}
	})
}

// TestConnectTimeout has an endpoint whose connections are never accepted nor answered: the connect timeout ends the call,
// as the queue would keep it for longer than the test waits.
func TestConnectTimeout(t *testing.T) {
	silent := wire.Silent(t)
	_, address := outbound(t, []string{silent}, "", "limits: { pending_timeout: 1m }")
	client := wire.Dial(t, address, nil)
	wantLocal(t, client.Call(1, nil, wire.Request(echoPath)...), "14", "UPSTREAM_CONNECT")
}

// TestBalance counts where calls go.
func TestBalance(t *testing.T) {
	for _, c := range []struct {
		balance  string
		min, max int // of 90 calls over 3 endpoints
	}{{"round_robin", 28, 32}, {"random", 10, 60}, {"least_request", 10, 60}, {"pick_first", 0, 90}} {
		t.Run(c.balance, func(t *testing.T) {
			counts := make([]atomic.Int32, 3)
			var addresses []string
			for i := range counts {
				endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: func(conn *wire.Conn, f wire.Frame) {
					if f.End() {
						counts[i].Add(1)
					}
					wire.Echo(conn, f)
				}})
				addresses = append(addresses, endpoint.Address)
			}
			p, address := outbound(t, addresses, "balance: "+c.balance, "")
			client := wire.Dial(t, address, nil)
			stream := uint32(1)
			client.Call(stream, nil, wire.Request(echoPath)...)
			if c.balance != "pick_first" {
				p.Eventually(wire.Patience, "every endpoint has a connection", func() bool {
					stream += 2
					client.Call(stream, nil, wire.Request(echoPath)...)
					return counts[0].Load() > 0 && counts[1].Load() > 0 && counts[2].Load() > 0
				})
			}
			start := []int32{counts[0].Load(), counts[1].Load(), counts[2].Load()}
			for i := range 90 {
				wantStatus(t, client.Call(uint32(2*i+10001), nil, wire.Request(echoPath)...), "0")
			}
			total := 0
			for i := range counts {
				n := int(counts[i].Load() - start[i])
				total += n
				if n < c.min || n > c.max {
					t.Errorf("endpoint %d got %d calls of 90, expected %d to %d", i, n, c.min, c.max)
				}
				if c.balance == "pick_first" && n != 0 && n != 90 {
					t.Errorf("pick_first sent %d of 90 calls to endpoint %d", n, i)
				}
			}
			if total != 90 {
				t.Errorf("90 calls were served %d times", total)
			}
		})
	}
}

// TestLeastRequestAvoidsTheBusy keeps calls open on one endpoint and sees new ones go to the other.
func TestLeastRequestAvoidsTheBusy(t *testing.T) {
	var calls [2]atomic.Int32
	var addresses []string
	for i := range calls {
		endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
			if f.Get(":path") == echoPath {
				calls[i].Add(1)
			}
			if i == 1 { // endpoint 0 never answers
				wire.Echo(c, f)
			}
		}})
		addresses = append(addresses, endpoint.Address)
	}
	_, address := outbound(t, addresses, "balance: least_request", "")
	client := wire.Dial(t, address, nil)
	stream := uint32(1)
	send := func() {
		client.Headers(stream, true, wire.Request(echoPath)...)
		stream += 2
	}
	eventually(t, "both endpoints are connected", func() bool {
		send()
		return calls[0].Load() > 0 && calls[1].Load() > 0
	})
	sent := int32(stream / 2)
	eventually(t, "all calls arrive", func() bool { return calls[0].Load()+calls[1].Load() == sent })
	client.PingWait()
	before := calls[0].Load()
	for range 20 {
		send()
	}
	eventually(t, "all calls arrive", func() bool { return calls[0].Load()+calls[1].Load() == sent+20 })
	if more := calls[0].Load() - before; more > 10 {
		t.Errorf("of 20 calls %d went to the endpoint that answers none", more)
	}
}
