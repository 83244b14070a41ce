package e2e

import (
	"bytes"
	"crypto/rand"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// oddMetadata are fields that must pass byte for byte and in this order.
var oddMetadata = []wire.Field{
	field("x-text", "plain"), field("x-text", "again, with a comma"), field("x-empty", ""),
	field("padded-bin", "AAECAwQ="), field("unpadded-bin", "AAECAwQ"), field("joined-bin", "AAEC,AwQF"), field("wrong-bin", "!not base64!"),
	field("x-bytes", "\x80\xff latin"), field("grpc-tags-bin", "AA"), field("grpc-trace-bin", "AAAA"), field("user-agent", "a b/c (d)"),
	field("grpc-encoding", "zstd-private"), field("grpc-accept-encoding", "identity,zstd-private"), field("x-long", strings.Repeat("v", 8000)),
}

func TestRequestHeadersArriveAsSent(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	sent := wire.Request("/pkg.Service/Method", oddMetadata...)
	client.Headers(1, false, sent...)
	client.Data(1, true, wire.Message([]byte("hello")))
	up := endpoint.Accept()
	request := up.NextRequest(0)
	for _, want := range []wire.Field{
		field(":method", "POST"), field(":path", "/pkg.Service/Method"), field(":scheme", "http"), field(":authority", "test.example"),
		field("content-type", "application/grpc"), field("te", "trailers"),
	} {
		if got := request.All(want.Name); len(got) != 1 || got[0] != want.Value {
			t.Errorf("%s: expected %q once, got %q", want.Name, want.Value, got)
		}
	}
	wantMetadata(t, request, oddMetadata)
	up.WantEnd(request.Stream)
	if got := wire.Collect(up.Frames(), request.Stream).Data; !bytes.Equal(got, wire.Message([]byte("hello"))) {
		t.Errorf("the message arrived as %q", got)
	}
	up.Respond(request.Stream, []byte("world"))
	wantStatus(t, client.Answer(1), "0")
}

func TestResponseArrivesAsSent(t *testing.T) {
	trailers := append(slices.Clone(oddMetadata[:8]), field("grpc-status", "10"),
		field("grpc-message", "bad %zz percent, %E2%82%AC, \xff raw"), field("grpc-status-details-bin", "CAoSA2Fib3J0"))
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			c.Headers(f.Stream, false, wire.OK(oddMetadata...)...)
			c.Data(f.Stream, false, wire.Message([]byte("one")))
			c.Headers(f.Stream, true, trailers...)
		}
	}})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	answer := client.Call(1, []byte("x"), wire.Request(echoPath)...)
	if answer.Headers.Get(":status") != "200" || answer.Headers.Get("content-type") != "application/grpc" {
		t.Errorf("headers: %v", answer.Headers)
	}
	wantMetadata(t, answer.Headers, oddMetadata)
	wantMetadata(t, answer.Trailers, trailers)
	if !bytes.Equal(answer.Data, wire.Message([]byte("one"))) {
		t.Errorf("the message arrived as %q", answer.Data)
	}
	wantFinal(t, client, 1)
}

func TestTrailersOnlyStaysTrailersOnly(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			c.Headers(f.Stream, true, wire.OK(field("grpc-status", "5"), field("grpc-message", "no such thing"), field("x-detail-bin", "AAEC"))...)
		}
	}})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	answer := client.Call(1, nil, wire.Request(echoPath)...)
	if !answer.TrailersOnly() {
		t.Errorf("not trailers-only: %v", answer)
	}
	wantStatus(t, answer, "5")
	wantMetadata(t, answer.Trailers, []wire.Field{field("grpc-message", "no such thing"), field("x-detail-bin", "AAEC")})
}

// TestMetadataCrossesThePair sends the odd fields through both sidecars and mTLS, both ways.
func TestMetadataCrossesThePair(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			c.Headers(f.Stream, false, wire.OK(oddMetadata...)...)
			c.Headers(f.Stream, true, append([]wire.Field{field("grpc-status", "0")}, oddMetadata...)...)
		}
	}})
	pair := startPair(t, endpoint.Address)
	client := wire.Dial(t, pair.entry, nil)
	answer := client.Call(1, []byte("x"), wire.Request(echoPath, oddMetadata...)...)
	wantStatus(t, answer, "0")
	wantMetadata(t, endpoint.Requests()[0], oddMetadata)
	wantMetadata(t, answer.Headers, oddMetadata)
	wantMetadata(t, answer.Trailers, oddMetadata)
}

func TestLargeMessagesBothWays(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	pair := startPair(t, endpoint.Address)
	client := wire.DialAs(t, pair.entry, nil, wire.Behaviour{Quiet: true})
	for i, size := range []int{0, 1, 16383, 16384, 65535, 65536, 1 << 20, 16 << 20} {
		stream := uint32(2*i + 1)
		body := make([]byte, size)
		_, _ = rand.Read(body)
		client.Headers(stream, false, wire.Request(echoPath)...)
		client.Send(stream, true, wire.Message(body), wire.Patience)
		answer := client.AnswerWithin(stream, 30*time.Second)
		wantStatus(t, answer, "0")
		if !bytes.Equal(answer.Data, wire.Message(body)) {
			t.Fatalf("%d bytes: the echo differs (%d bytes came)", size, len(answer.Data))
		}
	}
}

// TestFullDuplex takes turns on one stream: nothing may wait for an end.
func TestFullDuplex(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	pair := startPair(t, endpoint.Address)
	client := wire.Dial(t, pair.entry, nil)
	client.Headers(1, false, wire.Request("/test.Echo/Chat")...)
	up := endpoint.Accept()
	stream := up.NextRequest(0).Stream
	up.Headers(stream, false, wire.OK()...)
	client.Want("response headers before any message", func(f wire.Frame) bool { return f.Type == http2.FrameHeaders })
	for turn := range 20 {
		ball := wire.Message([]byte{byte(turn)})
		has := func(f wire.Frame) bool { return f.Type == http2.FrameData && bytes.Equal(f.Data, ball) }
		client.Data(1, false, ball)
		up.Want("the ball", has)
		up.Data(stream, false, ball)
		client.Want("the ball back", has)
	}
	client.Data(1, true, nil)
	up.WantEnd(stream)
	up.Headers(stream, true, field("grpc-status", "0"))
	wantStatus(t, client.Answer(1), "0")
	wantFinal(t, client, 1)
}

func TestContentTypes(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	stream := uint32(1)
	call := func(values ...string) wire.Answer {
		fields := wire.Request(echoPath)[:4]
		for _, value := range values {
			fields = append(fields, field("content-type", value))
		}
		stream += 2
		return client.Call(stream, []byte("x"), append(fields, field("te", "trailers"))...)
	}
	for _, refused := range []string{"", "text/html", "application/grpcfoo", "application/grpc-web", "application/grpc-web+proto", "application/json", "application/grp"} {
		var answer wire.Answer
		if refused == "" {
			answer = call()
		} else {
			answer = call(refused)
		}
		if answer.Headers.Get(":status") != "415" || len(answer.Data) == 0 || len(answer.Data) > 200 {
			t.Errorf("content-type %q: expected 415 with a short text, got %v", refused, answer)
		}
	}
	if n := len(endpoint.Requests()); n != 0 {
		t.Errorf("%d refused calls reached the endpoint", n)
	}
	for _, passed := range []string{"application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8", "application/grpc+json; x=y"} {
		wantStatus(t, call(passed), "0")
		requests := endpoint.Requests()
		if got := requests[len(requests)-1].Get("content-type"); got != passed {
			t.Errorf("content-type %q arrived as %q", passed, got)
		}
	}
}

func TestOtherMethods(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i, method := range []string{"GET", "PUT", "DELETE", "OPTIONS", "PATCH", "post"} {
		fields := wire.Request(echoPath)
		fields[0] = field(":method", method)
		stream := uint32(2*i + 1)
		client.Headers(stream, true, fields...)
		answer := client.Answer(stream)
		if answer.Headers.Get(":status") != "405" || len(answer.Data) == 0 || len(answer.Data) > 200 {
			t.Errorf("%s: expected 405 with a short text, got %v", method, answer)
		}
	}
	head := wire.Request(echoPath)
	head[0] = field(":method", "HEAD")
	client.Headers(101, true, head...)
	if answer := client.Answer(101); answer.Headers.Get(":status") != "405" || len(answer.Data) != 0 {
		t.Errorf("HEAD: expected 405 without a body, got %v", answer)
	}
	if n := len(endpoint.Requests()); n != 0 {
		t.Errorf("%d refused calls reached the endpoint", n)
	}
}

// TestStrangersAreClosedAtOnce speaks other protocols to listeners in the clear and with TLS.
func TestStrangersAreClosedAtOnce(t *testing.T) {
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	plain, secure := proxy.Address(t), proxy.Address(t)
	proxy.Start(t, identity(files)+"inbound:\n  - { listen: \""+plain+"\", tls: off, forward: \""+endpoint.Address+
		"\" }\n  - { listen: \""+secure+"\", tls: mutual, forward: \""+endpoint.Address+"\" }\n")
	for _, c := range []struct{ name, address, say string }{
		{"HTTP/1.1", plain, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{"HTTP/1.1 upgrade", plain, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"},
		{"garbage", plain, "\x00\x01\x02\x03garbage that is no preface at all, long enough"},
		{"short garbage", plain, "X"},
		{"TLS on the clear port", plain, "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03" + strings.Repeat("a", 100)},
		{"preface, then garbage", plain, http2.ClientPreface + strings.Repeat("\xff", 64)},
		{"preface on the TLS port", secure, http2.ClientPreface},
		{"HTTP/1.1 on the TLS port", secure, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	} {
		nc, err := wire.DialRaw(c.address)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := nc.Write([]byte(c.say)); err != nil {
			t.Fatal(err)
		}
		if _, ok := untilClosed(nc, 4*time.Second); !ok { // the preface deadline would do it after 5 s
			t.Errorf("%s: still open after %v", c.name, time.Since(start))
		}
		nc.Close()
	}
	wantServes(t, plain)
}

// TestConnectionFieldsStopHere sends what belongs to one hop, both ways.
func TestConnectionFieldsStopHere(t *testing.T) {
	hop := []wire.Field{
		field("connection", "close"), field("keep-alive", "timeout=5"), field("proxy-connection", "keep-alive"),
		field("transfer-encoding", "chunked"), field("upgrade", "h2c"),
	}
	var answerWith wire.Field
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			c.Headers(f.Stream, false, wire.OK(answerWith)...)
			c.Headers(f.Stream, true, field("grpc-status", "0"))
		}
	}})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	stream := uint32(1)
	refused := func(what string, fields []wire.Field) {
		t.Helper()
		client.Headers(stream, true, fields...)
		answer := client.Answer(stream)
		if answer.Status() == "0" || len(endpoint.Requests()) != 0 {
			t.Errorf("%s: expected a refusal before the endpoint, got %v", what, answer)
		}
		stream += 2
	}
	for _, f := range hop {
		refused("request with "+f.Name, wire.Request(echoPath, f))
	}
	notTrailers := wire.Request(echoPath)
	notTrailers[5] = field("te", "chunked")
	refused("te: chunked", notTrailers)
	for _, f := range hop {
		answerWith = f
		answer := client.Call(stream, nil, wire.Request(echoPath)...)
		if answer.Headers.Has(f.Name) {
			t.Errorf("response field %s was passed on: %v", f.Name, answer)
		}
		if answer.Status() == "" && answer.Reset == nil {
			t.Errorf("response field %s: no end: %v", f.Name, answer)
		}
		stream += 2
	}
}

// TestMalformedRequests are header blocks that RFC 9113 calls malformed; none may reach the endpoint, and each costs its
// stream or its connection, never the process.
func TestMalformedRequests(t *testing.T) {
	base := wire.Request(echoPath)
	without := func(i int) []wire.Field { return append(slices.Clone(base[:i]), base[i+1:]...) }
	with := func(i int, f wire.Field) []wire.Field { c := slices.Clone(base); c[i] = f; return c }
	vectors := map[string][]wire.Field{
		"no method": without(0), "no scheme": without(1), "no path": without(2),
		"empty path": with(2, field(":path", "")), "relative path": with(2, field(":path", "test.Echo/Unary")),
		"two methods": append(slices.Clone(base[:1]), base...), "two paths": append([]wire.Field{base[2]}, base...),
		"pseudo after regular": append(slices.Clone(base), field(":authority", "again")), "unknown pseudo": append([]wire.Field{field(":what", "x")}, base...),
		"response pseudo": append([]wire.Field{field(":status", "200")}, base...), "upper case": wire.Request(echoPath, field("X-Upper", "1")),
		"empty name": wire.Request(echoPath, field("", "1")), "newline in a value": wire.Request(echoPath, field("x-a", "1\r\nx-b: 2")),
		"NUL in a value": wire.Request(echoPath, field("x-a", "a\x00b")), "space in a name": wire.Request(echoPath, field("x a", "1")),
		"colon in a name": wire.Request(echoPath, field("x:a", "1")), "leading space": wire.Request(echoPath, field("x-a", " 1")),
		"content-length that lies": wire.Request(echoPath, field("content-length", "77")), "two content-lengths": wire.Request(echoPath, field("content-length", "5"), field("content-length", "6")),
		"space in the path": with(2, field(":path", "/a b/c")), "host that differs": wire.Request(echoPath, field("host", "other.example")),
	}
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	for name, fields := range vectors {
		client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
		client.Headers(1, true, fields...)
		client.Find(wire.Patience, func(f wire.Frame) bool {
			return f.Type == http2.FrameGoAway || f.Stream == 1 && (f.End() || f.Type == http2.FrameRSTStream)
		})
		answer := wire.Collect(client.Frames(), 1)
		client.Close()
		if name == "host that differs" && answer.Status() == "0" {
			continue // :authority rules; below it is checked that the other name was not passed on
		}
		if answer.Status() == "0" {
			t.Errorf("%s: the call was served: %v", name, answer)
		}
		if _, closed := client.WaitClosed(wire.Patience); answer.Trailers.Fields == nil && answer.Headers.Fields == nil && answer.Reset == nil && !closed {
			t.Errorf("%s: no reaction", name)
		}
	}
	for _, request := range endpoint.Requests() {
		if request.Get("host") != "" || request.Get(":authority") != "test.example" {
			t.Errorf("reached the endpoint: %v", request)
		}
		if len(request.All(":path")) != 1 || request.Get(":path") != echoPath {
			t.Errorf("reached the endpoint: %v", request)
		}
	}
	wantServes(t, address)
}

// wantMetadata checks that a header block holds the fields, in this order, each name as often as sent and no oftener.
func wantMetadata(t *testing.T, f wire.Frame, sent []wire.Field) {
	t.Helper()
	var names []string
	var want []wire.Field
	for _, s := range sent {
		want = append(want, field(s.Name, s.Value))
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	var got []wire.Field
	for _, g := range f.Fields {
		if slices.Contains(names, g.Name) {
			got = append(got, field(g.Name, g.Value))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("metadata changed:\nsent %q\ncame %q", want, got)
	}
}

// wantServes makes a good call on a fresh connection, to an endpoint that echoes: what came before has harmed nobody else.
func wantServes(t *testing.T, address string) {
	t.Helper()
	wantStatus(t, wire.Dial(t, address, nil).Call(1, []byte("after"), wire.Request(echoPath)...), "0")
}

func untilClosed(nc net.Conn, within time.Duration) (time.Duration, bool) {
	start := time.Now()
	_ = nc.SetReadDeadline(start.Add(within))
	buffer := make([]byte, 4096)
	for {
		if _, err := nc.Read(buffer); err != nil {
			timeout, ok := err.(net.Error)
			return time.Since(start), !(ok && timeout.Timeout())
		}
	}
}
