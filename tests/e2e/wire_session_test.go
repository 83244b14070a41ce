package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// rawFrame is a frame with any type, flags and length field.
func rawFrame(kind, flags byte, stream uint32, payload string) string {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return string(binary.BigEndian.AppendUint32(head, stream)) + payload
}

func initialWindow(n uint32) http2.Setting {
	return http2.Setting{ID: http2.SettingInitialWindowSize, Val: n}
}

// dataOf is how many bytes of a stream have come.
func dataOf(c *wire.Conn, stream uint32) int { return len(wire.Collect(c.Frames(), stream).Data) }

// TestInitialWindowMoves changes the initial window under an open stream, below zero too, on either side.
func TestInitialWindowMoves(t *testing.T) {
	for _, side := range []string{"caller", "endpoint"} {
		t.Run(side, func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{KeepWindow: true, Settings: []http2.Setting{initialWindow(10)}})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.DialAs(t, address, nil, wire.Behaviour{KeepWindow: true, Settings: []http2.Setting{initialWindow(10)}})
			client.Headers(1, false, wire.Request(echoPath)...)
			up := endpoint.Accept()
			stream := up.NextRequest(0).Stream
			up.Headers(stream, false, wire.OK()...)
			body := []byte(strings.Repeat("0123456789", 200))
			receiver, id := client, uint32(1)
			if side == "endpoint" {
				receiver, id = up, stream
				client.Data(1, false, body)
			} else {
				up.Data(stream, false, body)
			}
			step := func(what string, want int, do func()) {
				t.Helper()
				do()
				receiver.PingWait()
				eventually(t, fmt.Sprintf("%s: %d bytes", what, want), func() bool { return dataOf(receiver, id) >= want })
				receiver.PingWait()
				if got := dataOf(receiver, id); got != want {
					t.Fatalf("%s: %d bytes came, expected %d", what, got, want)
				}
			}
			step("window of 10", 10, func() {})
			step("grown by 15", 25, func() { receiver.Settings(initialWindow(25)) })
			step("shrunk below zero", 25, func() { receiver.Settings(initialWindow(5)) })
			step("back to zero", 25, func() { receiver.Window(id, 20) })
			step("one more", 26, func() { receiver.Window(id, 1) })
			step("and the rest", 2000, func() { receiver.Settings(initialWindow(65535)) })
		})
	}
}

// TestTrickle writes every byte by itself, on both sides of the proxy.
func TestTrickle(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Trickle: true, OnFrame: wire.Echo})
	pair := startPair(t, endpoint.Address)
	client := wire.DialAs(t, pair.entry, nil, wire.Behaviour{Trickle: true})
	for i := range 5 {
		body := bytes.Repeat([]byte{byte(i)}, 700)
		answer := client.Call(uint32(2*i+1), body, wire.Request(echoPath, oddMetadata[:6]...)...)
		wantStatus(t, answer, "0")
		if !bytes.Equal(answer.Data, wire.Message(body)) {
			t.Errorf("the echo differs")
		}
	}
}

// TestEndpointPadsAndPrioritises has the endpoint use what HTTP/2 allows and gRPC servers rarely do.
func TestEndpointPadsAndPrioritises(t *testing.T) {
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		block := string(wire.Encode(wire.OK(field("x-padded", "yes"))...))
		c.Raw([]byte(rawFrame(1, 0x4|0x8|0x20, stream, "\x05"+"\x00\x00\x00\x00\x10"+block+"\x00\x00\x00\x00\x00")))
		c.Raw([]byte(rawFrame(2, 0, stream, "\x00\x00\x00\x00\x10")))
		c.Raw([]byte(rawFrame(0xee, 0xff, stream, "unknown")))
		c.Raw([]byte(rawFrame(0, 0x8, stream, "\x03"+string(wire.Message([]byte("pad")))+"\x00\x00\x00")))
		c.Raw([]byte(rawFrame(0, 0x8, stream, "\x00")))
		trailers := string(wire.Encode(field("grpc-status", "0")))
		c.Raw([]byte(rawFrame(1, 0x1, stream, trailers[:3]) + rawFrame(9, 0, stream, trailers[3:5]) + rawFrame(9, 0, stream, "") + rawFrame(9, 0x4, stream, trailers[5:])))
	})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	answer := client.Call(1, nil, wire.Request(echoPath)...)
	wantStatus(t, answer, "0")
	if answer.Headers.Get("x-padded") != "yes" || string(answer.Data) != string(wire.Message([]byte("pad"))) {
		t.Errorf("damaged: %v %q", answer, answer.Data)
	}
}

// TestRequestTrailers ends a request with a header block, which HTTP/2 allows: the call goes on.
func TestRequestTrailers(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	client.Data(1, false, wire.Message([]byte("x")))
	client.Headers(1, true, field("x-request-trailer", "1"))
	answer := client.Answer(1)
	wantStatus(t, answer, "0")
	if !bytes.Equal(answer.Data, wire.Message([]byte("x"))) {
		t.Errorf("damaged: %v", answer)
	}
}

// TestWindowSurvivesResets lets data arrive for streams that are over, more than the connection's window in all: it must be
// given back, or the connection dries up.
func TestWindowSurvivesResets(t *testing.T) {
	t.Run("from the endpoint", func(t *testing.T) {
		endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
		_, address := inbound(t, endpoint.Address, "")
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true, KeepWindow: true, Settings: []http2.Setting{initialWindow(0)}})
		var up *wire.Conn
		last := uint32(0)
		for i := range 400 {
			stream := uint32(2*i + 1)
			client.Headers(stream, true, wire.Request(echoPath)...)
			if up == nil {
				up = endpoint.Accept()
			}
			last = up.NextRequest(last).Stream
			up.Headers(last, false, wire.OK()...)
			if sent := up.Send(last, false, make([]byte, 5000), wire.Patience); sent != 5000 {
				t.Fatalf("call %d: the endpoint had room for %d bytes of 5000", i, sent)
			}
			client.Reset(stream, http2.ErrCodeCancel)
			if i%2 == 0 { // half of them hear of the cancel only after more data
				up.Data(last, false, make([]byte, 200))
			}
			up.WantReset(last)
		}
		client.Settings(initialWindow(65535))
		client.Headers(1001, true, wire.Request(echoPath)...)
		last = up.NextRequest(last).Stream
		up.Headers(last, false, wire.OK()...)
		if sent := up.Send(last, false, make([]byte, 60000), wire.Patience); sent != 60000 {
			t.Errorf("after the resets the endpoint had room for %d bytes of 60000", sent)
		}
		up.Headers(last, true, field("grpc-status", "0"))
		wantStatus(t, client.Answer(1001), "0")
	})
	t.Run("from the caller", func(t *testing.T) {
		endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
		_, address := inbound(t, endpoint.Address, "")
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
		for i := range 60 {
			stream := uint32(2*i + 1)
			client.Headers(stream, false, wire.Request(echoPath, timeoutField("0n"))...) // over before it began
			if sent := client.Send(stream, false, make([]byte, 60000), still); sent < 60000 && client.Count(func(f wire.Frame) bool { return f.Stream == stream && f.Type == http2.FrameRSTStream }) == 0 {
				t.Fatalf("call %d: room for %d bytes of 60000", i, sent)
			}
			client.Answer(stream)
		}
		body := make([]byte, 200000)
		client.Headers(1001, false, wire.Request(echoPath)...)
		if sent := client.Send(1001, true, wire.Message(body), wire.Patience); sent != len(body)+5 {
			t.Fatalf("after the resets there was room for %d bytes", sent)
		}
		wantStatus(t, client.Answer(1001), "0")
	})
}

// TestMadeYouReset provokes resets by the proxy itself, stream after stream: the connection must end within the budget,
// and nothing of it stays alive at the endpoint.
func TestMadeYouReset(t *testing.T) {
	for name, provoke := range map[string]func(c *wire.Conn, stream uint32){
		"window overflow": func(c *wire.Conn, stream uint32) { c.Window(stream, 1<<31-1) },
		"window of 0":     func(c *wire.Conn, stream uint32) { c.Window(stream, 0) },
		"content-length":  func(c *wire.Conn, stream uint32) { c.Data(stream, true, []byte("more than one byte")) },
		"data after the end": func(c *wire.Conn, stream uint32) {
			c.Data(stream, true, []byte("x"))
			c.Data(stream, true, []byte("x"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
			ended, streams := false, 0
			for ; streams < 5000 && !ended; streams++ {
				stream := uint32(2*streams + 1)
				fields := wire.Request(echoPath)
				if name == "content-length" {
					fields = append(fields, field("content-length", "1"))
				}
				client.Headers(stream, false, fields...)
				provoke(client, stream)
				_, came := client.Find(wire.Patience, func(f wire.Frame) bool {
					return f.Type == http2.FrameGoAway && f.Code != http2.ErrCodeNo || f.Stream == stream && (f.Type == http2.FrameRSTStream || f.End())
				})
				_, ended = client.WaitClosed(0)
				ended = ended || !came || client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }) > 0
			}
			if streams > 1200 {
				t.Errorf("%d streams before the end", streams)
			}
			client.Close()
			eventually(t, "no call stays alive at the endpoint", func() bool {
				alive := 0
				for _, up := range endpoint.Conns() {
					gone := map[uint32]bool{}
					frames := up.Frames()
					for _, f := range frames {
						gone[f.Stream] = gone[f.Stream] || f.Type == http2.FrameRSTStream
					}
					for _, f := range frames {
						if f.Has(":path") && !gone[f.Stream] {
							alive++
						}
					}
				}
				return alive == 0
			})
			t.Logf("ended after %d streams; %d calls reached the endpoint", streams, len(endpoint.Requests()))
		})
	}
}

// TestFloods sends frames that carry nothing, by the hundred thousand, reading what comes back: the connection may end or
// live, others are served meanwhile, and memory stays.
func TestFloods(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	block := string(wire.Encode(wire.Request(echoPath)...))
	open := rawFrame(1, 0x4, 1, block)
	for name, c := range map[string]struct{ first, repeated string }{
		"PING":               {"", rawFrame(6, 0, 0, "12345678")},
		"SETTINGS":           {"", rawFrame(4, 0, 0, "")},
		"window flips":       {open, rawFrame(4, 0, 0, "\x00\x04\x00\x00\x00\x00") + rawFrame(4, 0, 0, "\x00\x04\x7f\xff\xff\xff")},
		"PRIORITY":           {"", rawFrame(2, 0, 1, "\x00\x00\x00\x00\x10")},
		"WINDOW_UPDATE":      {open, rawFrame(8, 0, 0, "\x00\x00\x00\x01")},
		"unknown":            {"", rawFrame(0xfa, 0, 0, "")},
		"empty DATA":         {open, rawFrame(0, 0, 1, "")},
		"DATA of one byte":   {open, rawFrame(0, 0, 1, "x")},
		"empty CONTINUATION": {rawFrame(1, 0, 1, block), rawFrame(9, 0, 1, "")},
		"CONTINUATION":       {rawFrame(1, 0, 1, block), rawFrame(9, 0, 1, strings.Repeat("\x40\x01a\x01b", 10))},
		"GOAWAY":             {"", rawFrame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00")},
		"RST_STREAM":         {open, rawFrame(3, 0, 1, "\x00\x00\x00\x08")},
	} {
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true, NoAck: true})
		before := p.ResidentKiB()
		client.Raw([]byte(c.first))
		flood := []byte(strings.Repeat(c.repeated, 500))
		_ = client.Net.SetWriteDeadline(time.Now().Add(3 * time.Second))
		for range 200 {
			if _, err := client.Net.Write(flood); err != nil {
				break
			}
		}
		if grown := p.ResidentKiB() - before; grown > 16<<10 {
			t.Errorf("%s: memory grew by %d KiB", name, grown)
		}
		wantServes(t, address)
		_, closed := client.WaitClosed(0)
		t.Logf("%s: closed %v", name, closed)
		if strings.Contains(name, "CONTINUATION") {
			if _, closed := client.WaitClosed(wire.Patience); !closed {
				t.Errorf("%s: the connection stays open", name)
			}
		}
		client.Close()
	}
}

// TestEndpointAttacks is the same from the other side: only calls on that connection may suffer, each with a status.
func TestEndpointAttacks(t *testing.T) {
	many := func(s string) func(c *wire.Conn, stream uint32) {
		return func(c *wire.Conn, _ uint32) { c.Raw([]byte(strings.Repeat(s, 20000))) }
	}
	for name, attack := range map[string]func(c *wire.Conn, stream uint32){
		"PING flood":           many(rawFrame(6, 0, 0, "12345678")),
		"SETTINGS flood":       many(rawFrame(4, 0, 0, "")),
		"unknown flood":        many(rawFrame(0xfa, 0, 0, "")),
		"informational flood":  func(c *wire.Conn, s uint32) { c.Raw([]byte(strings.Repeat(rawFrame(1, 0x4, s, "\x08\x03100"), 10000))) },
		"window overflow":      func(c *wire.Conn, _ uint32) { c.Window(0, 1<<31-1) },
		"stream overflow":      func(c *wire.Conn, s uint32) { c.Window(s, 1<<31-1) },
		"HEADERS of no stream": func(c *wire.Conn, s uint32) { c.Headers(s+2, true, wire.OK()...) },
		"HEADERS of stream 2":  func(c *wire.Conn, _ uint32) { c.Headers(2, true, wire.OK()...) },
		"RST_STREAM of no one": func(c *wire.Conn, s uint32) { c.Reset(s+100, 0) },
		"CONTINUATION flood": func(c *wire.Conn, s uint32) {
			c.Raw([]byte(rawFrame(1, 0, s, "\x88") + strings.Repeat(rawFrame(9, 0, s, ""), 10000)))
		},
		"huge frame": func(c *wire.Conn, s uint32) { c.Raw([]byte(rawFrame(0, 0, s, strings.Repeat("x", 100000)))) },
		"header bomb": func(c *wire.Conn, s uint32) {
			c.Block(s, true, []byte("\x88\x40\x06x-bomb\x7f\xbd\x1d"+strings.Repeat("b", 3900)+strings.Repeat("\xbe", 12000)))
		},
		"error GOAWAY": func(c *wire.Conn, s uint32) { c.GoAway(s, http2.ErrCodeInternal) },
		"GOAWAY, RST and close": func(c *wire.Conn, s uint32) {
			c.Raw([]byte(rawFrame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00") + rawFrame(3, 0, s, "\x00\x00\x00\x07")))
			c.Close()
		},
		"GOAWAY in a block": func(c *wire.Conn, s uint32) {
			c.Raw([]byte(rawFrame(1, 0, s, "\x88") + rawFrame(7, 0, 0, "\x00\x00\x00\x00\x00\x00\x00\x00")))
		},
		"SETTINGS with junk": func(c *wire.Conn, _ uint32) { c.Raw([]byte(rawFrame(4, 0, 0, "\x00\x05\x00\x00\x00\x01"))) },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
				if f.Get(":path") == "/test.Echo/Attack" {
					attack(c, f.Stream)
				} else {
					wire.Echo(c, f)
				}
			}})
			p, address := outbound(t, []string{endpoint.Address}, "", "")
			client := wire.Dial(t, address, nil)
			before := p.ResidentKiB()
			client.Headers(1, true, wire.Request("/test.Echo/Attack", timeoutField("2S"))...)
			answer := client.Answer(1)
			if got := answer.Status(); got == "" || got == "0" {
				t.Errorf("expected an error status, got %v", answer)
			}
			if grown := p.ResidentKiB() - before; grown > 16<<10 {
				t.Errorf("memory grew by %d KiB", grown)
			}
			wantFinal(t, client, 1)
			stream := uint32(101)
			p.Eventually(wire.Patience, "a later call is served", func() bool {
				stream += 2
				return client.Call(stream, nil, wire.Request(echoPath)...).Status() == "0"
			})
		})
	}
}

// TestNoStreamsAllowed has an endpoint that allows no stream at first.
func TestNoStreamsAllowed(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: streamsAllowed(0), OnFrame: wire.Echo})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 1, pending_timeout: 5s }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	up.PingWait()
	client.PingWait()
	for _, request := range endpoint.Requests() { // sent before SETTINGS came, perhaps
		t.Logf("sent ahead of SETTINGS: %v", request)
	}
	up.Settings(streamsAllowed(1)...)
	wantStatus(t, client.Answer(1), "0")
}

// TestRandomBytes mutates good conversations from both sides. Whatever comes, the process lives and serves others.
func TestRandomBytes(t *testing.T) {
	seed := newSeed(t)
	r := rand.New(rand.NewPCG(seed, 1))
	rounds := 300
	if full() {
		rounds = 20000
	}
	block := string(wire.Encode(wire.Request(echoPath)...))
	good := rawFrame(4, 0, 0, "") + rawFrame(1, 0x4, 1, block) + rawFrame(0, 0, 1, "\x00\x00\x00\x00\x01x") + rawFrame(8, 0, 0, "\x00\x00\x10\x00") +
		rawFrame(1, 0x0, 3, block[:5]) + rawFrame(9, 0x4, 3, block[5:]) + rawFrame(6, 0, 0, "abcdefgh") + rawFrame(0, 0x9, 3, "\x02xx\x00\x00") +
		rawFrame(8, 0, 1, "\x00\x00\x10\x00") + rawFrame(0, 0x1, 1, "") + rawFrame(3, 0, 3, "\x00\x00\x00\x08") + rawFrame(1, 0x5, 5, block)
	answerBlock := string(wire.Encode(wire.OK()...))
	var damaged sync.Map // connections whose framing may be out of step: the next request closes them
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
		_, broken := damaged.Load(c)
		switch {
		case broken && f.Type == http2.FrameHeaders:
			c.Close()
		case f.Get("x-mutate") != "" && f.Type == http2.FrameHeaders:
			reply := rawFrame(1, 0x4, f.Stream, answerBlock) + rawFrame(0, 0, f.Stream, "\x00\x00\x00\x00\x01x") + rawFrame(6, 0, 0, "abcdefgh") +
				rawFrame(8, 0, 0, "\x00\x00\x10\x00") + rawFrame(1, 0x5, f.Stream, string(wire.Encode(field("grpc-status", "0"))))
			damaged.Store(c, true)
			c.Raw(mutate(rand.New(rand.NewPCG(seed, uint64(f.Stream))), reply))
		default:
			wire.Echo(c, f)
		}
	}})
	p, address := outbound(t, []string{endpoint.Address}, "", "")
	workers := p.Workers()
	for round := range rounds {
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
		client.Raw(mutate(r, good))
		client.Headers(101, true, wire.Request(echoPath, field("x-mutate", "1"), timeoutField("500m"))...)
		client.Find(still/3, func(f wire.Frame) bool { return f.Type == http2.FrameGoAway || f.Stream == 101 && f.End() })
		client.Close()
		if round%50 == 49 {
			p.Eventually(wire.Patience, "a good call is served", func() bool {
				client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
				defer client.Close()
				return client.Call(1, nil, wire.Request(echoPath)...).Status() == "0"
			})
		}
	}
	if now := p.Workers(); fmt.Sprint(now) != fmt.Sprint(workers) {
		t.Errorf("the worker died: %v became %v\n%s", workers, now, p.Log())
	}
}

// mutate changes some bytes, cuts some out and repeats some.
func mutate(r *rand.Rand, s string) []byte {
	out := []byte(s)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(out))
		switch r.IntN(4) {
		case 0:
			out[at] ^= 1 << r.IntN(8)
		case 1:
			out[at] = byte(r.IntN(256))
		case 2:
			end := min(len(out), at+1+r.IntN(8))
			out = append(out[:at:at], out[end:]...)
		case 3:
			end := min(len(out), at+1+r.IntN(30))
			out = append(out[:end:end], out[at:]...)
		}
		if len(out) == 0 {
			break
		}
	}
	return out
}
