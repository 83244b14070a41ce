package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// Bounds of part 1 of the reliability bar.
const (
	maxFields  = 100
	maxBytes   = 16 << 10 // each field counts name, value and 32
	maxStreams = 100
	resetBurst = 500
)

// sized are request fields that count exactly n bytes.
func sized(n int) []wire.Field {
	fields := wire.Request(echoPath, field("x-fill", ""))
	for _, f := range fields {
		n -= len(f.Name) + len(f.Value) + 32
	}
	fields[len(fields)-1].Value = strings.Repeat("f", n)
	return fields
}

// counted are n request fields.
func counted(n int) []wire.Field {
	fields := wire.Request(echoPath)
	for i := len(fields); i < n; i++ {
		fields = append(fields, field(fmt.Sprintf("x-%d", i), "v"))
	}
	return fields
}

func TestRequestHeaderBounds(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	wantStatus(t, client.Call(1, nil, counted(maxFields)...), "0")
	wantStatus(t, client.Call(3, nil, sized(maxBytes)...), "0")
	served := len(endpoint.Requests())
	for i, fields := range [][]wire.Field{counted(maxFields + 1), sized(maxBytes + 1), counted(2 * maxFields), sized(2 * maxBytes)} {
		answer := client.Call(uint32(2*i+5), nil, fields...)
		if answer.Status() != "8" && answer.Reset == nil {
			t.Errorf("over the bound, vector %d: expected RESOURCE_EXHAUSTED or a reset, got %v", i, answer)
		}
		if answer.Status() == "8" {
			wantReason(t, answer, "BAD_REQUEST")
		}
	}
	if n := len(endpoint.Requests()); n != served {
		t.Errorf("%d calls over the bound reached the endpoint", n-served)
	}
	wantStatus(t, client.Call(101, nil, wire.Request(echoPath)...), "0")
}

// TestCookieCrumbs: split cookies count one by one.
func TestCookieCrumbs(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	fields := wire.Request(echoPath)
	for len(fields) < 400 {
		fields = append(fields, field("cookie", "a"))
	}
	client.Headers(1, true, fields...)
	client.Find(wire.Patience, func(f wire.Frame) bool { return f.Stream == 1 || f.Type == http2.FrameGoAway })
	if answer := wire.Collect(client.Frames(), 1); answer.Status() == "0" || len(endpoint.Requests()) != 0 {
		t.Errorf("400 cookie fields were served: %v", answer)
	}
	wantServes(t, address)
}

// TestHeaderBomb repeats one indexed field of 4 KiB some ten thousand times: little on the wire, much when decoded.
func TestHeaderBomb(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath, field("x-bomb", strings.Repeat("b", 3900)))...), "0")
	before := p.ResidentKiB()
	bomb := wire.Encode(wire.Request(echoPath)...)[1:] // without the change of the table's size that begins it
	for len(bomb) < 16000 {
		bomb = append(bomb, 0xbe) // the newest entry of the table
	}
	client.Block(3, true, bomb)
	client.Find(wire.Patience, func(f wire.Frame) bool { return f.Stream == 3 || f.Type == http2.FrameGoAway })
	if answer := wire.Collect(client.Frames(), 3); answer.Status() == "0" {
		t.Errorf("the bomb was served: %v", answer)
	}
	if grown := p.ResidentKiB() - before; grown > 16<<10 {
		t.Errorf("memory grew by %d KiB", grown)
	}
	wantServes(t, address)
}

// TestResponseHeaderBounds has the endpoint send more than we take: its call fails, everything else goes on.
func TestResponseHeaderBounds(t *testing.T) {
	var extra []wire.Field
	var inTrailers bool
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		if inTrailers {
			c.Headers(stream, false, wire.OK()...)
			c.Headers(stream, true, append([]wire.Field{field("grpc-status", "0")}, extra...)...)
			return
		}
		c.Headers(stream, false, wire.OK(extra...)...)
		c.Headers(stream, true, field("grpc-status", "0"))
	})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	stream := uint32(1)
	for _, inTrailers = range []bool{false, true} {
		for _, c := range []struct {
			fields, bytes int
			served        bool
		}{{90, 0, true}, {0, 15 << 10, true}, {110, 0, false}, {0, 17 << 10, false}, {0, 60 << 10, false}} {
			extra = nil
			for i := range c.fields {
				extra = append(extra, field(fmt.Sprintf("x-%d", i), "v"))
			}
			if c.bytes > 0 {
				extra = append(extra, field("x-fill", strings.Repeat("f", c.bytes)))
			}
			answer := client.Call(stream, nil, wire.Request(echoPath)...)
			if served := answer.Status() == "0"; served != c.served || answer.Status() == "" {
				t.Errorf("trailers %v, %d fields, %d bytes: got grpc-status %q", inTrailers, c.fields, c.bytes, answer.Status())
			}
			stream += 2
		}
	}
	extra = nil
	wantStatus(t, client.Call(stream, nil, wire.Request(echoPath)...), "0")
}

// TestStreamLimit opens as many streams as SETTINGS allow and one more.
func TestStreamLimit(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
	_, in := inbound(t, endpoint.Address, "limits: { max_requests: 5000 }")
	_, out := outbound(t, []string{endpoint.Address}, "", "limits: { max_requests: 5000, max_pending: 5000, pending_timeout: 10s }")
	for _, c := range []struct {
		name, address string
		limit         int
	}{{"inbound", in, maxStreams}, {"outbound", out, 1000}} {
		t.Run(c.name, func(t *testing.T) {
			client := wire.DialAs(t, c.address, nil, wire.Behaviour{Quiet: true})
			settings := client.Want("SETTINGS", func(f wire.Frame) bool { return f.Type == http2.FrameSettings && len(f.Settings) > 0 })
			said := 0
			for _, s := range settings.Settings {
				if s.ID == http2.SettingMaxConcurrentStreams {
					said = int(s.Val)
				}
			}
			if said != c.limit {
				t.Errorf("SETTINGS allow %d streams, expected %d", said, c.limit)
			}
			for i := range c.limit {
				client.Headers(uint32(2*i+1), false, wire.Request(echoPath)...)
			}
			client.PingWait()
			if n := client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameRSTStream }); n != 0 {
				t.Fatalf("%d streams within the limit were reset", n)
			}
			over := uint32(2*c.limit + 1)
			client.Headers(over, false, wire.Request(echoPath)...)
			if got := client.WantReset(over); got.Code != http2.ErrCodeRefusedStream {
				t.Errorf("expected REFUSED_STREAM, got %v", got)
			}
			client.Close()
		})
	}
}

// TestPrematureResets opens and resets streams as fast as it can: the connection must end after about the burst, and only
// few calls may have reached the endpoint.
func TestPrematureResets(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	client.PingWait()
	start, sent := time.Now(), 0
	for ; sent < 20000; sent++ {
		stream := uint32(2*sent + 1)
		client.Headers(stream, true, wire.Request(echoPath)...)
		client.Reset(stream, http2.ErrCodeCancel)
		if sent%100 == 99 {
			if client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }) > 0 {
				break
			}
			if _, closed := client.WaitClosed(time.Millisecond); closed {
				break
			}
		}
	}
	goaway := client.WantGoAway(1)
	if goaway.Code != http2.ErrCodeEnhanceYourCalm {
		t.Errorf("expected ENHANCE_YOUR_CALM, got %v", goaway)
	}
	allowed := resetBurst + int(time.Since(start).Seconds()*1000) + 100
	if taken := int(goaway.Last+1) / 2; taken > allowed {
		t.Errorf("%d streams were taken before the end, expected at most %d", taken, allowed)
	}
	if _, closed := client.WaitClosed(wire.Patience); !closed {
		t.Error("the connection stays open")
	}
	t.Logf("closed after %d of %d resets; %d calls at the endpoint", int(goaway.Last+1)/2, sent, len(endpoint.Requests()))
	if workers := p.Workers(); len(workers) > 0 {
		if log := p.Log(); strings.Contains(log, "restart") {
			t.Errorf("the worker died:\n%s", log)
		}
	}
}

// TestHonestCancels resets calls that have lived for a while at a rate that a hedging caller may reach.
func TestHonestCancels(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	total := 1000
	if full() {
		total = 20000
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for done := 0; done < total; done += 10 { // 500 a second
		for i := range 10 {
			client.Headers(uint32(2*(done+i)+1), true, wire.Request(echoPath)...)
		}
		<-tick.C
		for i := range 10 {
			client.Reset(uint32(2*(done+i)+1), http2.ErrCodeCancel)
		}
	}
	client.PingWait()
	if n := client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }); n != 0 {
		t.Errorf("500 honest cancels a second ended the connection")
	}
}

// TestControlFloods sends what must be bounded by counting; the connection may end, the process and others go on.
func TestControlFloods(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	for name, frame := range map[string][]byte{
		"PING":     {0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8},
		"SETTINGS": {0, 0, 0, 4, 0, 0, 0, 0, 0},
	} {
		nc, err := wire.DialRaw(address)
		if err != nil {
			t.Fatal(err)
		}
		before := p.ResidentKiB()
		_, _ = nc.Write([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		_ = nc.SetWriteDeadline(time.Now().Add(2 * time.Second))
		flood := []byte(strings.Repeat(string(frame), 1000))
		for range 200 { // never reading an answer
			if _, err := nc.Write(flood); err != nil {
				break
			}
		}
		if grown := p.ResidentKiB() - before; grown > 16<<10 {
			t.Errorf("%s: memory grew by %d KiB", name, grown)
		}
		nc.Close()
		wantServes(t, address)
	}
}

// TestDescriptorsRunOut lowers the limit of open files and connects more than that: no spinning, old connections go on,
// and new ones are taken once there is room.
func TestDescriptorsRunOut(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address),
		proxy.Options{Wrapper: []string{"/bin/sh", "-c", "ulimit -n 80; exec \"$0\" \"$@\""}})
	client := wire.Dial(t, listen, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	var crowd []net.Conn
	for range 150 {
		nc, err := wire.DialRaw(listen)
		if err != nil {
			break
		}
		_, _ = nc.Write([]byte(http2.ClientPreface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"))
		crowd = append(crowd, nc)
	}
	before, start := p.CPU(), time.Now()
	for i := range 10 { // a second of a full table
		wantStatus(t, client.Call(uint32(2*i+3), nil, wire.Request(echoPath)...), "0")
		<-time.After(100 * time.Millisecond)
	}
	if used, wall := p.CPU()-before, time.Since(start); used > wall/10 {
		t.Errorf("%v of CPU in %v while descriptors were used up", used, wall)
	}
	for _, nc := range crowd {
		nc.Close()
	}
	// What is accepted too near the limit is closed, so the crowd must be gone from the proxy's side too.
	begin := time.Now()
	p.Eventually(wire.Patience, "the crowd's descriptors are given back", func() bool {
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid))
		return err == nil && len(open) < 40
	})
	wantServes(t, listen)
	t.Logf("a new connection was served after %v", time.Since(begin))
}
