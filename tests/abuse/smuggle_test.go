package abuse

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

const smugglePath = "/test.Echo/Unary"

// vector is a request of which the proxy shall either make nothing, or one clean request.
type vector struct {
	name   string
	block  []byte
	passes bool
	end    byte
	data   []byte
}

// pseudo is a request's block with its pseudo fields in the place of the usual ones.
func pseudo(fields ...string) []byte {
	var b []byte
	for i := 0; i+1 < len(fields); i += 2 {
		b = frames.Literal(b, fields[i], fields[i+1])
	}
	b = frames.Literal(b, "content-type", "application/grpc")
	return frames.Literal(b, "te", "trailers")
}

func usual(more ...string) []byte {
	b := pseudo(":method", "POST", ":scheme", "http", ":path", smugglePath, ":authority", "test.example")
	for i := 0; i+1 < len(more); i += 2 {
		b = frames.Literal(b, more[i], more[i+1])
	}
	return b
}

func path(p string) []byte {
	return pseudo(":method", "POST", ":scheme", "http", ":path", p, ":authority", "test.example")
}

func authority(a string) []byte {
	return pseudo(":method", "POST", ":scheme", "http", ":path", smugglePath, ":authority", a)
}

func smuggling() []vector {
	var all []vector
	bad := func(name string, block []byte) {
		all = append(all, vector{name: name, block: block, end: frames.EndStream})
	}
	good := func(name string, block []byte) {
		all = append(all, vector{name: name, block: block, passes: true, end: frames.EndStream})
	}
	for _, f := range [][2]string{{"te", "chunked"}, {"te", "trailers, chunked"}, {"te", "gzip"}, {"te", ""}, {"connection", "close"},
		{"connection", "keep-alive"}, {"connection", "x-a"}, {"connection", ""}, {"keep-alive", "timeout=5"}, {"proxy-connection", "keep-alive"},
		{"transfer-encoding", "chunked"}, {"transfer-encoding", "identity"}, {"transfer-encoding", ""}, {"upgrade", "h2c"},
		{"upgrade", "websocket"}, {"upgrade", ""}} {
		bad(f[0]+": "+f[1], usual(f[0], f[1]))
	}
	bad("two content-lengths", usual("content-length", "0", "content-length", "5"))
	bad("two equal content-lengths", usual("content-length", "0", "content-length", "0"))
	for _, v := range []string{"5", "-1", "+0", "0x0", "", "1e1", " 0", "0 ", "0,0", "0, 5", "99999999999999999999999", "18446744073709551616", "९"} {
		bad("content-length "+v, usual("content-length", v))
	}
	good("content-length 0", usual("content-length", "0"))
	all = append(all, vector{name: "content-length shorter than the data", block: usual("content-length", "5"), data: []byte("\x00\x00\x00\x00\x01x")},
		vector{name: "content-length longer than the data", block: usual("content-length", "7"), data: []byte("\x00\x00\x00\x00\x01x")},
		vector{name: "content-length as the data", block: usual("content-length", "6"), data: []byte("\x00\x00\x00\x00\x01x"), passes: true})
	good("host that differs", usual("host", "evil.example"))
	good("host that is the same", usual("host", "test.example"))
	bad("two hosts", usual("host", "test.example", "host", "evil.example"))
	bad("host with a space", usual("host", "test example"))
	bad("host with a slash", usual("host", "test.example/x"))
	bad("host with a user", usual("host", "evil@test.example"))
	bad("empty host", usual("host", ""))
	for _, a := range []string{"", "evil@test.example", "test.example/x", "test.example?x", "test.example#x", "test.example\\x", "a b",
		"a\tb", "a\r\nb", "a\x00b", "\xc3\xa9", "a\"b", "a<b>", "a{b}", "a|b", "a^b", "a`b"} {
		bad(fmt.Sprintf("authority %q", a), authority(a))
	}
	good("authority with a port", authority("test.example:443"))
	good("authority of IPv6", authority("[::1]:443"))
	for _, n := range []string{"X-Upper", "x-UPPER", "", " ", "x a", " x", "x ", "x:a", ":x", "x\ta", "x\r", "x\n", "x\x00", "x\x7f", "x\x80", "x(", "x)",
		"x<", "x>", "x@", "x,", "x;", "x\\", "x\"", "x/", "x[", "x]", "x?", "x=", "x{", "x}"} {
		bad(fmt.Sprintf("name %q", n), usual(n, "1"))
	}
	good("underscore", usual("x_a", "1"))
	good("every mark of a token", usual("x!#$%&'*+-.^_`|~9", "1"))
	for _, v := range []string{"a\r\nb: c", "a\nb", "a\rb", "a\x00b", "\r\n", "\n", "\x00", "a\r\n b", " a", "a ", "\ta", "a\t"} {
		bad(fmt.Sprintf("value %q", v), usual("x-a", v))
	}
	good("tab within a value", usual("x-a", "a\tb"))
	good("empty value", usual("x-a", ""))
	for _, p := range []string{"", "test.Echo/Unary", "*", "http://evil.example/test.Echo/Unary", "/a b", "/a\tb", "/a\r\nb", "/a\x00b", "/a\x7f", "/\xc3\xa9",
		"\\test.Echo\\Unary", " /a", "/a "} {
		bad(fmt.Sprintf("path %q", p), path(p))
	}
	for _, p := range []string{"/test.Echo/../Unary", "/../test.Echo/Unary", "/test.Echo%2fUnary", "//test.Echo/Unary", "/test.Echo/Unary?x=1",
		"/test.Echo/./Unary", "/test.Echo/Unary/", "/test.Echo/", "/"} {
		bad("path "+p, path(p))
	}
	for _, scheme := range []string{"", "ftp", "http ", "HTTP", "http://evil.example/", "javascript", "h2", "ht\ttp", "http\r\nx: y"} {
		bad(fmt.Sprintf("scheme %q", scheme), pseudo(":method", "POST", ":scheme", scheme, ":path", smugglePath, ":authority", "test.example"))
	}
	for _, method := range []string{"", "POST ", "post", "GET", "CONNECT", "PO ST", "POST\r\nx: y", "POST\x00", "POST /evil HTTP/1.1"} {
		bad(fmt.Sprintf("method %q", method), pseudo(":method", method, ":scheme", "http", ":path", smugglePath, ":authority", "test.example"))
	}
	for _, name := range []string{":method", ":scheme", ":path", ":authority"} {
		bad(name+" twice", append(frames.Literal(nil, name, map[string]string{":method": "POST", ":scheme": "http", ":path": smugglePath, ":authority": "test.example"}[name]), usual()...))
		bad(name+" behind a regular field", usual(name, "x"))
		bad(name+" with capitals", append(frames.Literal(nil, strings.ToUpper(name), "x"), usual()...))
	}
	for _, name := range []string{":status", ":protocol", ":what", ":", "::method"} {
		bad(name+" in a request", append(frames.Literal(nil, name, "200"), usual()...))
	}
	bad("no method", pseudo(":scheme", "http", ":path", smugglePath, ":authority", "test.example"))
	bad("no scheme", pseudo(":method", "POST", ":path", smugglePath, ":authority", "test.example"))
	bad("no path", pseudo(":method", "POST", ":scheme", "http", ":authority", "test.example"))
	bad("no authority and no host", pseudo(":method", "POST", ":scheme", "http", ":path", smugglePath))
	bad("field of 64 KiB", usual("x-a", strings.Repeat("v", 64<<10)))
	bad("HTTP/2 upgrade by extended CONNECT", pseudo(":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", smugglePath, ":authority", "test.example"))
	for _, f := range [][2]string{{"content-length", "1"}, {"transfer-encoding", "chunked"}, {":path", "/x"}, {"Upper", "x"}, {"x-a", "a\nb"}, {"connection", "close"}, {"te", "chunked"}} {
		all = append(all, vector{name: "trailer " + f[0], block: usual(), end: 0xff, data: frames.Literal(nil, f[0], f[1])})
	}
	return all
}

// TestA17Smuggling sends what one side might read in another way than the other: it is refused, or comes out clean.
func TestA17Smuggling(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	address := proxy.Address(t)
	s := stage(t, "", fmt.Sprintf("  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", address, endpoint.Address))
	vectors := smuggling()
	var refused, passed int
	s.under(func() time.Duration {
		for i, v := range vectors {
			v.block = frames.Literal(v.block[:len(v.block):len(v.block)], "x-vector", fmt.Sprint(i))
			served := playVector(t, address, v)
			seen := slices.DeleteFunc(endpoint.Requests(), func(f wire.Frame) bool { return f.Get("x-vector") != fmt.Sprint(i) })
			switch {
			case v.passes && (!served || len(seen) != 1):
				t.Errorf("%s: expected an answer, got %v, %d requests at the endpoint", v.name, served, len(seen))
			case !v.passes && served:
				t.Errorf("%s: was served", v.name)
			case !v.passes && v.data == nil && len(seen) > 0:
				t.Errorf("%s: came to the endpoint as %v", v.name, seen[0])
			}
			for _, request := range seen {
				wantClean(t, v.name, request)
			}
			if v.passes {
				passed++
			} else {
				refused++
			}
		}
		return time.Second
	})
	if refused+passed < 120 {
		t.Errorf("%d vectors", refused+passed)
	}
	s.judge(fmt.Sprintf("%d refused, %d clean", refused, passed), grownMaxKiB)
}

// playVector tells if the answer was status 0.
func playVector(t *testing.T, address string, v vector) bool {
	t.Helper()
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	defer client.Close()
	var b []byte
	for at := 0; at < len(v.block); at += 16384 {
		kind, flags := byte(frames.Continuation), byte(0)
		if at == 0 {
			kind, flags = frames.Headers, v.end&frames.EndStream
			if v.end == 0xff {
				flags = 0
			}
		}
		if at+16384 >= len(v.block) {
			flags |= frames.EndHeaders
		}
		b = frames.Append(b, kind, flags, 1, v.block[at:min(at+16384, len(v.block))])
	}
	switch {
	case v.end == 0xff:
		b = frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, 1, v.data)
	case v.end == 0:
		b = frames.Append(b, frames.Data, frames.EndStream, 1, v.data)
	}
	client.Raw(b)
	_, ok := client.Find(wire.Patience, func(f wire.Frame) bool {
		return f.Type == http2.FrameGoAway || f.Stream == 1 && (f.End() || f.Type == http2.FrameRSTStream)
	})
	if _, closed := client.WaitClosed(0); !ok && !closed {
		t.Errorf("%s: no reaction", v.name)
	}
	return wire.Collect(client.Frames(), 1).Status() == "0"
}

// wantClean judges a request as it came to the endpoint.
func wantClean(t *testing.T, name string, f wire.Frame) {
	t.Helper()
	regular := false
	for _, field := range f.Fields {
		if strings.HasPrefix(field.Name, ":") && regular || field.Name == "" || field.Name != strings.ToLower(field.Name) ||
			strings.ContainsAny(field.Name[min(1, len(field.Name)):], " \t\r\n\x00:") || strings.ContainsAny(field.Value, "\r\n\x00") {
			t.Errorf("%s: the endpoint saw %q: %q", name, field.Name, field.Value)
		}
		regular = regular || !strings.HasPrefix(field.Name, ":")
		switch field.Name {
		case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "host":
			t.Errorf("%s: the endpoint saw %s: %q", name, field.Name, field.Value)
		}
	}
	for _, once := range []string{":method", ":scheme", ":path", ":authority", "te", "content-type"} {
		if len(f.All(once)) != 1 {
			t.Errorf("%s: the endpoint saw %s %d times", name, once, len(f.All(once)))
		}
	}
	if f.Get("te") != "trailers" || strings.Contains(f.Get(":authority"), "evil") {
		t.Errorf("%s: the endpoint saw %v", name, f)
	}
}
