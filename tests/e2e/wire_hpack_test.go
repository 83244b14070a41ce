package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// randomFields are metadata of a small vocabulary, so that the dynamic tables are hit, filled and emptied.
func randomFields(r *rand.Rand) []wire.Field {
	var fields []wire.Field
	budget := 8000
	for range r.IntN(30) {
		value := make([]byte, r.IntN(40))
		if r.IntN(10) == 0 {
			value = make([]byte, r.IntN(3000))
		}
		for i := range value {
			value[i] = byte(33 + r.IntN(94))
		}
		if r.IntN(3) == 0 {
			value = fmt.Append(nil, "common-", r.IntN(20))
		}
		f := field(fmt.Sprintf("x-name-%d", r.IntN(60)), string(value))
		f.Sensitive = r.IntN(8) == 0
		if budget -= len(f.Name) + len(f.Value) + 32; budget < 0 {
			break
		}
		fields = append(fields, f)
	}
	return fields
}

// TestRandomHeaders sends random metadata both ways, while the tables of all four encoders change their size.
func TestRandomHeaders(t *testing.T) {
	seed := newSeed(t)
	r := rand.New(rand.NewPCG(seed, 0))
	rounds := 300
	if full() {
		rounds = 5000
	}
	for _, table := range []uint32{0, 100, 4096, 65536} {
		t.Run(fmt.Sprintf("table of %d", table), func(t *testing.T) {
			settings := []http2.Setting{{ID: http2.SettingHeaderTableSize, Val: table}}
			var headers, trailers []wire.Field
			endpoint := wire.Local(t, wire.Behaviour{Settings: settings, OnFrame: func(c *wire.Conn, f wire.Frame) {
				if f.End() {
					c.Headers(f.Stream, false, wire.OK(headers...)...)
					c.Headers(f.Stream, true, append([]wire.Field{field("grpc-status", "0")}, trailers...)...)
				}
			}})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.DialAs(t, address, nil, wire.Behaviour{Settings: settings})
			for round := range rounds {
				sent := randomFields(r)
				headers, trailers = randomFields(r), randomFields(r)
				if r.IntN(5) == 0 {
					client.EncoderTable(uint32(r.IntN(4097)))
				}
				if up := endpoint.Conns(); len(up) > 0 && r.IntN(5) == 0 {
					up[0].EncoderTable(uint32(r.IntN(4097)))
				}
				stream := uint32(2*round + 1)
				client.Headers(stream, true, wire.Request(echoPath, sent...)...)
				answer := client.Answer(stream)
				wantStatus(t, answer, "0")
				wantMetadata(t, endpoint.Requests()[round], sent)
				wantMetadata(t, answer.Headers, headers)
				wantMetadata(t, answer.Trailers, trailers)
				if t.Failed() {
					t.Fatalf("round %d", round)
				}
			}
		})
	}
}

// TestNeverIndexedStaysSo: what a sender marks as never to be indexed keeps that mark on the next hop.
func TestNeverIndexedStaysSo(t *testing.T) {
	secret := field("authorization", "Bearer 123")
	secret.Sensitive = true
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i := range 3 {
		wantStatus(t, client.Call(uint32(2*i+1), nil, wire.Request(echoPath, secret)...), "0")
	}
	for _, request := range endpoint.Requests() {
		for _, f := range request.Fields {
			if f.Name == "authorization" && !f.Sensitive {
				t.Errorf("the mark was lost: %v", request)
			}
		}
	}
}

// TestBadHeaderBlocks are header blocks that no decoder may accept. Some are cases that h2spec gained or mended after the
// version in use.
func TestBadHeaderBlocks(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	good := string(wire.Encode(wire.Request(echoPath)...))
	for name, tail := range map[string]string{
		"index 0":                                "\x80",
		"index past both tables":                 "\xc6",
		"literal with a name past both tables":   "\x7f\x07\x00",
		"endless integer":                        "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x00",
		"string longer than the block":           "\x40\x7f\xff\x0fabc",
		"value longer than the block":            "\x40\x01a\x7f\x05abc",
		"cut inside an integer":                  "\x40\x7f",
		"cut after a name":                       "\x40\x01a",
		"EOS inside a string":                    "\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f",
		"padding of eight bits":                  "\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x9f\xff",
		"padding of zeros":                       "\x00\x85\xf2\xb2\x4a\x84\xff\x82\x49\x50",
		"table larger than allowed":              "\x3f\xe2\x1f",
		"table size changed at the end":          "\x20",
		"table size that overflows":              "\x3f\xff\xff\xff\xff\xff\x7f",
		"indexed from the emptied dynamic table": "\xbe",
	} {
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
		client.Block(1, true, []byte(good+tail))
		goaway, ok := client.Find(wire.Patience, func(f wire.Frame) bool { return f.Type == http2.FrameGoAway })
		if !ok || goaway.Code != http2.ErrCodeCompression {
			t.Errorf("%s: expected GOAWAY COMPRESSION_ERROR, got %v\n%s", name, goaway, client.Trace())
		}
		client.Close()
	}
	if n := len(endpoint.Requests()); n != 0 {
		t.Errorf("%d calls with a bad header block reached the endpoint", n)
	}
	wantServes(t, address)
}

// TestBadFrames are the connection errors that h2spec's later versions check more strictly.
func TestBadFrames(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	for _, c := range []struct {
		name, bytes string
		code        http2.ErrCode
	}{
		{"PING of six bytes", "\x00\x00\x06\x06\x00\x00\x00\x00\x00123456", http2.ErrCodeFrameSize},
		{"SETTINGS of five bytes", "\x00\x00\x05\x04\x00\x00\x00\x00\x0012345", http2.ErrCodeFrameSize},
		{"WINDOW_UPDATE of 0 on the connection", "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00", http2.ErrCodeProtocol},
		{"DATA on stream 0", "\x00\x00\x01\x00\x00\x00\x00\x00\x00x", http2.ErrCodeProtocol},
		{"PUSH_PROMISE", "\x00\x00\x05\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x82", http2.ErrCodeProtocol},
		{"frame of 2^24-1 bytes", "\xff\xff\xff\x00\x00\x00\x00\x00\x01" + strings.Repeat("x", 1000), http2.ErrCodeFrameSize},
	} {
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
		client.Raw([]byte(c.bytes))
		goaway, ok := client.Find(wire.Patience, func(f wire.Frame) bool { return f.Type == http2.FrameGoAway })
		if !ok || goaway.Code != c.code {
			t.Errorf("%s: expected GOAWAY %v, got %v\n%s", c.name, c.code, goaway, client.Trace())
		}
		client.Close()
	}
	wantServes(t, address)
}
