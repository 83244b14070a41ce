package wire

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Dial connects to HOST:PORT or unix:PATH, sends the preface and SETTINGS, and reads from then on. With a TLS
// configuration it shakes hands first and fails the test if that fails.
func Dial(t testing.TB, address string, config *tls.Config) *Conn {
	t.Helper()
	return DialAs(t, address, config, Behaviour{})
}

// DialAs is Dial with a behaviour.
func DialAs(t testing.TB, address string, config *tls.Config, does Behaviour) *Conn {
	t.Helper()
	nc, err := DialRaw(address)
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		secure := tls.Client(nc, config)
		_ = secure.SetDeadline(time.Now().Add(Patience))
		if err := secure.Handshake(); err != nil {
			t.Fatalf("TLS handshake with %s: %v", address, err)
		}
		_ = secure.SetDeadline(time.Time{})
		nc = secure
	}
	return Over(t, nc, does)
}

// Over is a client on a connection that is there already.
func Over(t testing.TB, nc net.Conn, does Behaviour) *Conn {
	t.Helper()
	c := newConn(t, "client", nc, does)
	c.Raw([]byte(http2.ClientPreface))
	if !does.NoSettings {
		c.Settings(does.Settings...)
	}
	go c.read()
	return c
}

// DialRaw connects to HOST:PORT or unix:PATH and nothing more.
func DialRaw(address string) (net.Conn, error) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return net.DialTimeout("unix", path, Patience)
	}
	return net.DialTimeout("tcp", address, Patience)
}

// Request are the header fields of a gRPC call, with more behind them.
func Request(path string, more ...Field) []Field {
	return append([]Field{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "test.example"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...)
}

// Message puts the gRPC length prefix before a body.
func Message(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// Answer is all that came back on a stream until its end.
type Answer struct {
	Headers  Frame
	Trailers Frame // equal to Headers in a trailers-only answer
	Data     []byte
	Reset    *Frame // the stream ended, or was cut after its end, by this RST_STREAM
	At       time.Time
}

// Status is the grpc-status, or "" when there is none.
func (a Answer) Status() string { return a.Trailers.Get("grpc-status") }

// TrailersOnly tells if the answer was one header block that ended the stream.
func (a Answer) TrailersOnly() bool { return a.Headers.End() }

// String is for failure messages.
func (a Answer) String() string {
	reset := ""
	if a.Reset != nil {
		reset = " reset=" + a.Reset.Code.String()
	}
	return fmt.Sprintf("headers{%v} data=%d trailers{%v}%s", a.Headers, len(a.Data), a.Trailers, reset)
}

// Call sends a whole unary request with one message and waits for the answer.
func (c *Conn) Call(stream uint32, body []byte, fields ...Field) Answer {
	c.t.Helper()
	c.Headers(stream, false, fields...)
	c.Data(stream, true, Message(body))
	return c.Answer(stream)
}

// Answer waits for the end of a stream and collects what came on it.
func (c *Conn) Answer(stream uint32) Answer {
	c.t.Helper()
	return c.AnswerWithin(stream, Patience)
}

// AnswerWithin is Answer with its own patience.
func (c *Conn) AnswerWithin(stream uint32, within time.Duration) Answer {
	c.t.Helper()
	_, ok := c.Find(within, func(f Frame) bool {
		return f.Stream == stream && (f.End() || f.Type == http2.FrameRSTStream)
	})
	if !ok {
		c.t.Fatalf("%s: expected the end of stream %d within %v", c.name, stream, within)
	}
	return Collect(c.Frames(), stream)
}

// Collect puts together what a log holds of one stream.
func Collect(log []Frame, stream uint32) Answer {
	var a Answer
	var data bytes.Buffer
	for _, f := range log {
		if f.Stream != stream {
			continue
		}
		switch f.Type {
		case http2.FrameHeaders:
			if a.Headers.Fields == nil {
				a.Headers = f
			}
			if f.End() {
				a.Trailers = f
			}
		case http2.FrameData:
			data.Write(f.Data)
		case http2.FrameRSTStream:
			reset := f
			a.Reset = &reset
		}
		if f.End() || f.Type == http2.FrameRSTStream {
			a.At = f.At
		}
	}
	a.Data = data.Bytes()
	return a
}

// Encode is a header block for a connection that has sent none yet; it leaves the dynamic table empty.
func Encode(fields ...Field) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	for _, f := range fields {
		_ = encoder.WriteField(f)
	}
	return block.Bytes()
}
