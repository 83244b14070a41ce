package abuse

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// many is one frame n times.
func many(n int, kind, flags byte, stream uint32, payload []byte) []byte {
	one := frames.Append(nil, kind, flags, stream, payload)
	out := make([]byte, 0, n*len(one))
	for range n {
		out = append(out, one...)
	}
	return out
}

var (
	ok200   = frames.Block(hpack.HeaderField{Name: ":status", Value: "200"}, hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	trailer = frames.Block(hpack.HeaderField{Name: "grpc-status", Value: "0"})
)

// answerOf is an answer on a stream.
func answerOf(stream uint32) []byte {
	b := frames.Append(nil, frames.Headers, frames.EndHeaders, stream, ok200)
	return frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, stream, trailer)
}

// TestA14HostileEndpoint has an endpoint that floods its caller in the place of an answer: the call ends with one status,
// calls to another endpoint go on, and memory stays.
func TestA14HostileEndpoint(t *testing.T) {
	n := sized(20000, 200000)
	fields := func(n int) []byte {
		b := append([]byte{}, ok200...)
		for i := range n {
			b = frames.Literal(b, fmt.Sprintf("x-%d", i), "v")
		}
		return b
	}
	informational := frames.Block(hpack.HeaderField{Name: ":status", Value: "103"})
	for _, c := range []struct {
		name     string
		send     func(stream uint32) []byte
		counters []string
	}{
		{"PingFlood", func(uint32) []byte { return many(n, frames.Ping, 0, 0, make([]byte, 8)) }, []string{"pings"}},
		{"SettingsFlood", func(uint32) []byte { return many(n, frames.Settings, 0, 0, nil) }, []string{"settings_frames"}},
		{"PriorityFlood", func(s uint32) []byte { return many(n, frames.Priority, 0, s, make([]byte, 5)) }, []string{"priority_frames"}},
		{"WindowFlood", func(uint32) []byte { return many(n, frames.WindowUpdate, 0, 0, frames.Word(1)) }, []string{"window_updates"}},
		{"UnknownFlood", func(uint32) []byte { return many(n, frames.Unknown, 0, 0, nil) }, []string{"unknown_frames"}},
		{"InformationalFlood", func(s uint32) []byte { return many(10000, frames.Headers, frames.EndHeaders, s, informational) }, []string{"informational_responses"}},
		{"EmptyData", func(s uint32) []byte {
			return append(frames.Append(nil, frames.Headers, frames.EndHeaders, s, ok200), many(n, frames.Data, 0, s, nil)...)
		}, []string{"empty_frames"}},
		{"OneByteData", func(s uint32) []byte {
			return append(frames.Append(nil, frames.Headers, frames.EndHeaders, s, ok200), many(n, frames.Data, 0, s, []byte{0})...)
		}, []string{"small_data"}},
		{"ContinuationFlood", func(s uint32) []byte {
			return append(frames.Append(nil, frames.Headers, 0, s, ok200), many(n, frames.Continuation, 0, s, nil)...)
		}, []string{"continuations", "empty_frames"}},
		{"HugeHeaders", func(s uint32) []byte {
			b, block := []byte(nil), append(append([]byte{}, ok200...), frames.Literal(nil, "x", strings.Repeat("v", 1<<20))...)
			for at := 0; at < len(block); at += 16384 {
				kind, flags := byte(frames.Continuation), byte(0)
				if at == 0 {
					kind = frames.Headers
				}
				if at+16384 >= len(block) {
					flags = frames.EndHeaders
				}
				b = frames.Append(b, kind, flags, s, block[at:min(at+16384, len(block))])
			}
			return b
		}, []string{"header_flood", "continuations"}},
		{"ManyFields", func(s uint32) []byte { return frames.Append(nil, frames.Headers, frames.EndHeaders, s, fields(300)) }, []string{"header_fields"}},
		{"HpackBomb", func(s uint32) []byte {
			block := append(frames.Indexed(append([]byte{}, ok200...), "x", strings.Repeat("b", 3900)), strings.Repeat("\xbe", 12000)...)
			return frames.Append(nil, frames.Headers, frames.EndHeaders, s, block)
		}, []string{"header_flood"}},
	} {
		t.Run(c.name, func(t *testing.T) { floodedFrom(t, c.send, c.counters) })
	}
}

// TestA2MalformedEndpoint has an endpoint that answers with a few frames that no endpoint may send: the call ends with one
// status within a second.
func TestA2MalformedEndpoint(t *testing.T) {
	vectors := []struct {
		name string
		send func(stream uint32) []byte
		fine bool // the call may end well
	}{
		{"PushPromise", func(s uint32) []byte {
			return frames.Append(nil, frames.PushPromise, frames.EndHeaders, s, append(frames.Word(2), quick...))
		}, false},
		{"StreamsZeroThenOne", func(s uint32) []byte {
			b := frames.Append(nil, frames.Settings, 0, 0, frames.Setting(3, 0))
			b = frames.Append(b, frames.Settings, 0, 0, frames.Setting(3, 1))
			return append(b, answerOf(s)...)
		}, true},
		{"ConnectionWindowOverflow", func(uint32) []byte { return many(3, frames.WindowUpdate, 0, 0, frames.Word(1<<31-1)) }, false},
		{"StreamWindowOverflow", func(s uint32) []byte { return many(3, frames.WindowUpdate, 0, s, frames.Word(1<<31-1)) }, false},
		{"WindowExceeded", func(s uint32) []byte {
			return append(frames.Append(nil, frames.Headers, frames.EndHeaders, s, ok200), many(100, frames.Data, 0, s, make([]byte, 16384))...)
		}, false},
		{"FrameTooLarge", func(s uint32) []byte { return frames.Append(nil, frames.Data, 0, s, make([]byte, 16385)) }, false},
		{"FrameOfSixteenMegabytes", func(s uint32) []byte { return []byte{0xff, 0xff, 0xff, frames.Headers, 4, 0, 0, 0, byte(s), 0} }, false},
		{"Noise", func(uint32) []byte { return []byte(strings.Repeat("\x9d\x51\xfe noise", 500)) }, false},
		{"OldHTTP", func(uint32) []byte { return []byte("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") }, false},
		{"DataBeforeHeaders", func(s uint32) []byte { return frames.Append(nil, frames.Data, 0, s, []byte("x")) }, false},
		{"AnswerOnIdleStream", func(s uint32) []byte { return answerOf(s + 100) }, false},
		{"AnswerOnEvenStream", func(uint32) []byte { return answerOf(2) }, false},
		{"ContinuationAlone", func(s uint32) []byte { return frames.Append(nil, frames.Continuation, frames.EndHeaders, s, ok200) }, false},
		{"BlockInterrupted", func(s uint32) []byte {
			return frames.Append(frames.Append(nil, frames.Headers, 0, s, ok200), frames.Ping, 0, 0, make([]byte, 8))
		}, false},
		{"StatusTwice", func(s uint32) []byte {
			return frames.Append(nil, frames.Headers, frames.EndHeaders|frames.EndStream, s, append(append([]byte{}, ok200...), ok200...))
		}, false},
		{"StatusMissing", func(s uint32) []byte {
			return frames.Append(nil, frames.Headers, frames.EndHeaders|frames.EndStream, s, trailer)
		}, false},
		{"UpperCase", func(s uint32) []byte {
			return frames.Append(nil, frames.Headers, frames.EndHeaders, s, frames.Literal(append([]byte{}, ok200...), "X-Upper", "v"))
		}, false},
		{"LineFeed", func(s uint32) []byte {
			return frames.Append(nil, frames.Headers, frames.EndHeaders, s, frames.Literal(append([]byte{}, ok200...), "x", "a\nb: c"))
		}, false},
		{"BrokenCompression", func(s uint32) []byte { return frames.Append(nil, frames.Headers, frames.EndHeaders, s, []byte{0x80}) }, false},
		{"LengthMismatch", func(s uint32) []byte {
			b := frames.Append(nil, frames.Headers, frames.EndHeaders, s, frames.Literal(append([]byte{}, ok200...), "content-length", "3"))
			return append(b, frames.Append(nil, frames.Data, frames.EndStream, s, []byte("four"))...)
		}, false},
		{"ResetOfIdle", func(s uint32) []byte { return frames.Append(nil, frames.ResetStream, 0, s+100, frames.Word(0)) }, false},
		{"SettingsOnStream", func(s uint32) []byte { return frames.Append(nil, frames.Settings, 0, s, nil) }, false},
		{"SettingsOfFive", func(uint32) []byte { return frames.Append(nil, frames.Settings, 0, 0, make([]byte, 5)) }, false},
		{"InitialWindowTooLarge", func(uint32) []byte { return frames.Append(nil, frames.Settings, 0, 0, frames.Setting(4, 1<<31)) }, false},
		{"EnablePush", func(uint32) []byte { return frames.Append(nil, frames.Settings, 0, 0, frames.Setting(2, 1)) }, false},
		{"GoAwayShort", func(uint32) []byte { return frames.Append(nil, frames.GoAway, 0, 0, make([]byte, 7)) }, false},
		{"PaddingTooLong", func(s uint32) []byte { return frames.Append(nil, frames.Data, frames.Padded, s, []byte{9, 0}) }, false},
		{"GoAwayDebug16KiB", func(s uint32) []byte {
			return append(frames.Append(nil, frames.GoAway, 0, 0, append(append(frames.Word(s), frames.Word(2)...), make([]byte, 16000)...)), answerOf(s)...)
		}, true},
	}
	sections, evil, towards := "", make([]*evilEndpoint, len(vectors)), make([]string, len(vectors))
	for i, v := range vectors {
		evil[i], towards[i] = newEvil(t, v.send), proxy.Address(t)
		sections += fmt.Sprintf("  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", towards[i], evil[i].address)
	}
	s := stage(t, "", sections)
	s.under(func() time.Duration {
		for i, v := range vectors {
			callEvil(t, v.name, towards[i], v.fine)
		}
		return time.Second // few frames: their cost tells nothing
	})
	s.judge(fmt.Sprintf("%d calls ended", len(vectors)*evilCalls), grownMaxKiB)
}

// evilEndpoint answers each call with bytes, and counts what they cost it.
type evilEndpoint struct {
	address string
	cost    atomic.Int64
}

func newEvil(t *testing.T, send func(uint32) []byte) *evilEndpoint {
	e := &evilEndpoint{}
	server := wire.Listen(t, "127.0.0.1:0", nil, wire.Behaviour{Quiet: true, NoAck: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			bytes := send(f.Stream)
			go func() { e.cost.Add(int64(peer.OnThread(func() { c.Raw(bytes) }))) }()
		}
	}})
	e.address = server.Address
	return e
}

const evilCalls = 3

func callEvil(t *testing.T, name, address string, fine bool) {
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	defer client.Close()
	for i := range evilCalls {
		stream := uint32(2*i + 1)
		client.Headers(stream, false, wire.Request("/test.Echo/Unary")...)
		client.Data(stream, true, wire.Message([]byte("hello")))
		client.Find(sized(5*time.Second, time.Second), func(f wire.Frame) bool { return f.Stream == stream && (f.End() || f.Type == http2.FrameRSTStream) })
		answer := wire.Collect(client.Frames(), stream)
		status := answer.Status()
		if len(answer.Trailers.All("grpc-status")) > 1 || (status == "" && answer.Reset == nil) {
			t.Errorf("%s, call %d: expected one end, got %v", name, i, answer)
		}
		if !fine && (status == "0" || answer.Reset != nil && answer.Reset.Code == http2.ErrCodeNo) {
			t.Errorf("%s, call %d: expected a failure, got %v", name, i, answer)
		}
	}
}

func floodedFrom(t *testing.T, send func(uint32) []byte, counters []string) {
	evil, towards := newEvil(t, send), proxy.Address(t)
	s := stage(t, "", fmt.Sprintf("  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", towards, evil.address))
	s.heavy = true // the calls, which are honest, cost more than the flood that is cut at once
	s.under(func() time.Duration {
		for end, first := time.Now().Add(sized(0, 5*time.Second)), true; first || time.Now().Before(end); first = false {
			callEvil(t, "flood", towards, false)
		}
		return time.Duration(evil.cost.Load())
	})
	s.judge("its calls", grownMaxKiB, counters...)
}
