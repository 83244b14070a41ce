package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// TestRetryHoldsHeaders: a failure in the trailers, behind headers, is tried again; the caller sees one answer.
func TestRetryHoldsHeaders(t *testing.T) {
	const quick = `retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 2ms, max: 4ms, multiplier: 2 }`
	for _, c := range []struct {
		name, policy string
		attempts     int
		status       string
	}{
		{"held", quick + " }", 3, "0"},
		{"off", quick + ", hold_headers: off }", 1, "14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := endpointLine(t, 1, failingLate(2))
			_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget, c.policy))
			client := wire.Dial(t, address, nil)
			answer := client.Call(1, []byte("body"), wire.Request(readPath)...)
			wantStatus(t, answer, c.status)
			wantFinal(t, client, 1)
			l.wantTries(t, c.attempts)
		})
	}
}

// TestRetryHoldsBriefly: of a method whose kind is not known headers go down after 20 ms, and then a failure is final.
func TestRetryHoldsBriefly(t *testing.T) {
	release := make(chan struct{})
	l := endpointLine(t, 1, func(_ int, c *wire.Conn, stream uint32) {
		c.Headers(stream, false, wire.OK()...)
		go func() {
			<-release
			c.Headers(stream, true, field("grpc-status", "14"))
		}()
	})
	_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget, retryKey))
	client := wire.Dial(t, address, nil)
	start := time.Now()
	client.Headers(1, false, wire.Request(readPath)...)
	client.Data(1, true, wire.Message([]byte("body")))
	headers := client.Want("response headers", func(f wire.Frame) bool { return f.Type == http2.FrameHeaders })
	if took := headers.At.Sub(start); took < 15*time.Millisecond {
		t.Errorf("the headers went down after %v, expected 20 ms", took)
	}
	close(release)
	wantStatus(t, client.Answer(1), "14")
	l.wantTries(t, 1)
}

// TestRetryOfStreams: a call that is still sending, or sent two messages, is not held: its headers go down at once. Until
// headers come it is tried again like others, with all that was sent.
func TestRetryOfStreams(t *testing.T) {
	t.Run("headers pass at once", func(t *testing.T) {
		endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
			if f.Type == http2.FrameData && !f.End() {
				c.Headers(f.Stream, false, wire.OK()...)
			} else if f.End() {
				c.Headers(f.Stream, true, field("grpc-status", "14"))
			}
		}})
		_, address := outbound(t, []string{endpoint.Address}, "", policyOf(idempotentKey, noBudget, retryKey))
		client := wire.Dial(t, address, nil)
		client.Headers(1, false, wire.Request(streamPath)...)
		client.Data(1, false, wire.Message([]byte("first")))
		client.Want("response headers", func(f wire.Frame) bool { return f.Type == http2.FrameHeaders && !f.End() })
		client.Data(1, true, wire.Message([]byte("second")))
		wantStatus(t, client.Answer(1), "14")
		if n := len(endpoint.Requests()); n != 1 {
			t.Errorf("tried %d times", n)
		}
	})
	t.Run("replayed until headers come", func(t *testing.T) {
		var bodies []string
		var mu sync.Mutex
		l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
			mu.Lock()
			bodies = append(bodies, string(wire.Collect(c.Frames(), stream).Data))
			mu.Unlock()
			failing(2)(n, c, stream)
		})
		_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget, retryKey))
		client := wire.Dial(t, address, nil)
		client.Headers(1, false, wire.Request(streamPath)...)
		want := ""
		for i := range 3 {
			message := wire.Message([]byte(fmt.Sprintf("message %d", i)))
			want += string(message)
			client.Data(1, i == 2, message)
			client.PingWait()
		}
		wantStatus(t, client.Answer(1), "0")
		l.wantTries(t, 3)
		for i, body := range bodies {
			if body != want {
				t.Errorf("attempt %d carried %q, expected %q", i+1, body, want)
			}
		}
	})
}

// TestRetryBuffer: a request that fits the buffer is replayed byte by byte, one that does not is committed.
func TestRetryBuffer(t *testing.T) {
	for _, c := range []struct {
		name     string
		size     int
		attempts int
		status   string
	}{{"fits", 60 << 10, 2, "0"}, {"too large", 70 << 10, 1, "14"}} {
		t.Run(c.name, func(t *testing.T) {
			body := make([]byte, c.size)
			for i := range body {
				body[i] = byte(i * 7)
			}
			same := true
			l := endpointLine(t, 1, func(n int, conn *wire.Conn, stream uint32) {
				same = same && string(wire.Collect(conn.Frames(), stream).Data) == string(wire.Message(body))
				failing(1)(n, conn, stream)
			})
			_, address := outbound(t, l.addresses, "", policyOf(idempotentKey, noBudget,
				`retry: { max_attempts: 3, on: [UNAVAILABLE], buffer: 64KiB, backoff: { initial: 2ms, max: 4ms, multiplier: 2 } }`))
			client := wire.Dial(t, address, nil)
			client.Headers(1, false, wire.Request(readPath)...)
			if sent := client.Send(1, true, wire.Message(body), wire.Patience); sent != c.size+5 {
				t.Fatalf("only %d bytes could be sent", sent)
			}
			wantStatus(t, client.Answer(1), c.status)
			l.wantTries(t, c.attempts)
			if !same {
				t.Error("an attempt carried another body")
			}
		})
	}
}
