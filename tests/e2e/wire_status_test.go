package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// scripted is an endpoint that answers each whole call with the given script.
func scripted(t *testing.T, script func(c *wire.Conn, stream uint32)) *wire.Server {
	t.Helper()
	return wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			script(c, f.Stream)
		}
	}})
}

// TestForgottenStatus has endpoints that end a call without saying how it went: the caller must hear UNKNOWN, never OK.
func TestForgottenStatus(t *testing.T) {
	for name, script := range map[string]func(c *wire.Conn, stream uint32){
		"END_STREAM on DATA": func(c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Data(stream, true, wire.Message([]byte("x")))
		},
		"END_STREAM on empty DATA": func(c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Data(stream, true, nil)
		},
		"headers only": func(c *wire.Conn, stream uint32) { c.Headers(stream, true, wire.OK()...) },
		"trailers without it": func(c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Data(stream, false, wire.Message([]byte("x")))
			c.Headers(stream, true, field("x-other", "1"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := scripted(t, script)
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			answer := client.Call(1, nil, wire.Request(echoPath)...)
			wantStatus(t, answer, "2")
			wantFinal(t, client, 1)
		})
	}
}

// TestOddStatus passes values that are none of ours to judge, but never as OK.
func TestOddStatus(t *testing.T) {
	var status string
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, false, wire.OK()...)
		c.Headers(stream, true, field("grpc-status", status))
	})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i, value := range []string{"99", "17", "abc", "-1", "", "0x0", "00000000000000000000"} {
		status = value
		answer := client.Call(uint32(2*i+1), nil, wire.Request(echoPath)...)
		got := answer.Trailers.All("grpc-status")
		if len(got) != 1 || got[0] == "0" || (got[0] != value && got[0] != "2") {
			t.Errorf("grpc-status %q became %q", value, got)
		}
	}
}

// TestHTTPStatus maps the answers of servers that speak no gRPC.
func TestHTTPStatus(t *testing.T) {
	var status, contentType string
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, false, field(":status", status), field("content-type", contentType))
		c.Data(stream, true, []byte("<html>no</html>"))
	})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	stream := uint32(1)
	for _, c := range []struct{ http, grpc string }{
		{"400", "13"}, {"401", "16"}, {"403", "7"}, {"404", "12"}, {"429", "14"}, {"431", "13"}, {"502", "14"}, {"503", "14"}, {"504", "14"},
		{"418", "2"}, {"200", "2"}, {"302", "2"}, {"500", "2"},
	} {
		status, contentType = c.http, "text/html"
		answer := client.Call(stream, nil, wire.Request(echoPath)...)
		if got := answer.Status(); got != c.grpc {
			t.Errorf("HTTP %s: expected grpc-status %s, got %v", c.http, c.grpc, answer)
		}
		if answer.Headers.Get(":status") != "200" {
			t.Errorf("HTTP %s: expected a gRPC answer with :status 200, got %v", c.http, answer)
		}
		stream += 2
	}
}

// TestResetCodes has the endpoint reset calls with each code, before and after its headers.
func TestResetCodes(t *testing.T) {
	want := map[http2.ErrCode]string{
		http2.ErrCodeNo: "13", http2.ErrCodeProtocol: "13", http2.ErrCodeInternal: "13", http2.ErrCodeFlowControl: "13",
		http2.ErrCodeSettingsTimeout: "13", http2.ErrCodeStreamClosed: "13", http2.ErrCodeFrameSize: "13", http2.ErrCodeRefusedStream: "14",
		http2.ErrCodeCancel: "1", http2.ErrCodeCompression: "13", http2.ErrCodeConnect: "13", http2.ErrCodeEnhanceYourCalm: "8",
		http2.ErrCodeInadequateSecurity: "7", http2.ErrCodeHTTP11Required: "13",
	}
	for _, after := range []bool{false, true} {
		t.Run(map[bool]string{false: "before headers", true: "after headers"}[after], func(t *testing.T) {
			var code http2.ErrCode
			endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
				if after {
					c.Headers(stream, false, wire.OK()...)
					c.Data(stream, false, wire.Message([]byte("x")))
				}
				c.Reset(stream, code)
			})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			for code = 0; code <= 13; code++ {
				stream := uint32(2*code + 1)
				answer := client.Call(stream, nil, wire.Request(echoPath)...)
				if got := answer.Status(); got != want[code] {
					t.Errorf("%v: expected grpc-status %s, got %v", code, want[code], answer)
				}
				if !after {
					wantReason(t, answer, "UPSTREAM_RESET")
				}
				wantFinal(t, client, stream)
			}
		})
	}
}

// TestEarlyResponse ends calls that the caller is still sending.
func TestEarlyResponse(t *testing.T) {
	for _, reset := range []bool{false, true} {
		t.Run(fmt.Sprintf("endpoint resets %v", reset), func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
				if f.Type == http2.FrameHeaders {
					c.Headers(f.Stream, false, wire.OK()...)
					c.Data(f.Stream, false, wire.Message([]byte("enough")))
					c.Headers(f.Stream, true, field("grpc-status", "0"), field("x-last", "yes"))
					if reset {
						c.Reset(f.Stream, http2.ErrCodeNo)
					}
				}
			}})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			client.Headers(1, false, wire.Request(echoPath)...)
			client.Data(1, false, wire.Message([]byte("and more will follow")))
			answer := client.Answer(1)
			wantStatus(t, answer, "0")
			if string(answer.Data) != string(wire.Message([]byte("enough"))) || answer.Trailers.Get("x-last") != "yes" {
				t.Errorf("not delivered whole: %v", answer)
			}
			if got := client.WantReset(1); got.Code != http2.ErrCodeNo {
				t.Errorf("expected RST_STREAM NO_ERROR, got %v", got)
			}
			up := endpoint.Accept()
			if !reset {
				if got := up.WantReset(up.NextRequest(0).Stream); got.Code != http2.ErrCodeNo && got.Code != http2.ErrCodeCancel {
					t.Errorf("the endpoint's stream ended with %v", got)
				}
			}
			wantFinal(t, client, 1)
			wantStatus(t, client.Call(3, []byte("again"), wire.Request(echoPath)...), "0")
		})
	}
}

// TestAfterTheEnd has an endpoint that goes on after END_STREAM: the caller hears the first end only.
func TestAfterTheEnd(t *testing.T) {
	for name, more := range map[string]func(c *wire.Conn, stream uint32){
		"second trailers": func(c *wire.Conn, stream uint32) { c.Headers(stream, true, field("grpc-status", "13")) },
		"data":            func(c *wire.Conn, stream uint32) { c.Data(stream, true, []byte("more")) },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
				c.Respond(stream, []byte("x"))
				more(c, stream)
			})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
			wantFinal(t, client, 1)
		})
	}
}

// TestBrokenEndpoint violates HTTP/2 inside a call: the call fails, its caller's connection does not.
func TestBrokenEndpoint(t *testing.T) {
	for name, script := range map[string]func(c *wire.Conn, stream uint32){
		"data before headers": func(c *wire.Conn, stream uint32) { c.Data(stream, false, []byte("x")) },
		"three header blocks": func(c *wire.Conn, stream uint32) {
			c.Headers(stream, false, wire.OK()...)
			c.Headers(stream, false, wire.OK()...)
			c.Headers(stream, true, field("grpc-status", "0"))
		},
		"no :status": func(c *wire.Conn, stream uint32) { c.Headers(stream, true, field("grpc-status", "0")) },
		"bad :status": func(c *wire.Conn, stream uint32) {
			c.Headers(stream, true, field(":status", "abc"), field("grpc-status", "0"))
		},
		"garbage":         func(c *wire.Conn, _ uint32) { c.Raw([]byte(strings.Repeat("\xff", 100))) },
		"bad HPACK":       func(c *wire.Conn, stream uint32) { c.Block(stream, true, []byte{0x80}) },
		"closes":          func(c *wire.Conn, _ uint32) { c.Close() },
		"half a response": func(c *wire.Conn, stream uint32) { c.Headers(stream, false, wire.OK()...); c.Close() },
		"push":            func(c *wire.Conn, stream uint32) { c.Raw([]byte{0, 0, 4, 5, 4, 0, 0, 0, byte(stream), 0, 0, 0, 2}) },
	} {
		t.Run(name, func(t *testing.T) {
			endpoint := scripted(t, script)
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			answer := client.Call(1, nil, wire.Request(echoPath)...)
			if got := answer.Status(); got != "13" && got != "14" && got != "2" {
				t.Errorf("expected INTERNAL, UNAVAILABLE or UNKNOWN, got %v", answer)
			}
			wantFinal(t, client, 1)
		})
	}
}

// TestInformationalResponses are for HTTP, not for gRPC: they must not be taken for the answer.
func TestInformationalResponses(t *testing.T) {
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, false, field(":status", "103"), field("link", "</a>"))
		c.Respond(stream, []byte("x"))
	})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	wantFinal(t, client, 1)
}

// TestLocalAnswers looks at the form of an answer that the proxy makes itself.
func TestLocalAnswers(t *testing.T) {
	_, address := inbound(t, proxy.Address(t), "")
	client := wire.Dial(t, address, nil)
	answer := client.Call(1, nil, wire.Request(echoPath)...)
	wantLocal(t, answer, "14", "NO_ENDPOINT", "UPSTREAM_CONNECT")
	wantFinal(t, client, 1)

	listen := proxy.Address(t)
	proxy.Start(t, fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { authority: \"only.example\", service: s } ] }\nservices:\n  s: { endpoints: { static: [ \"%s\" ] }, tls: off }\n",
		listen, proxy.Address(t)))
	client = wire.Dial(t, listen, nil)
	wantLocal(t, client.Call(1, nil, wire.Request(echoPath)...), "12", "NO_ROUTE")
}

// wantLocal checks an answer of the proxy's own: trailers-only, with a message and details that name one of the reasons.
func wantLocal(t *testing.T, answer wire.Answer, status string, reasons ...string) {
	t.Helper()
	wantStatus(t, answer, status)
	if !answer.TrailersOnly() || answer.Headers.Get(":status") != "200" || !strings.HasPrefix(answer.Headers.Get("content-type"), "application/grpc") {
		t.Errorf("not a trailers-only gRPC answer: %v", answer)
	}
	if answer.Headers.Get("grpc-message") == "" {
		t.Errorf("no grpc-message: %v", answer)
	}
	wantReason(t, answer, reasons...)
}

// wantReason checks the ErrorInfo in the details.
func wantReason(t *testing.T, answer wire.Answer, reasons ...string) {
	t.Helper()
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(answer.Trailers.Get("grpc-status-details-bin"), "="))
	if err != nil {
		t.Fatalf("grpc-status-details-bin: %v in %v", err, answer)
	}
	var status spb.Status
	if err := proto.Unmarshal(raw, &status); err != nil {
		t.Fatalf("grpc-status-details-bin: %v in %v", err, answer)
	}
	if fmt.Sprint(status.Code) != answer.Status() {
		t.Errorf("the details say code %d, grpc-status %s", status.Code, answer.Status())
	}
	for _, detail := range status.Details {
		var info errdetails.ErrorInfo
		if detail.MessageIs(&info) && detail.UnmarshalTo(&info) == nil {
			if info.Domain != "outrigger" {
				t.Errorf("ErrorInfo has domain %q", info.Domain)
			}
			for _, reason := range reasons {
				if info.Reason == reason {
					return
				}
			}
			t.Errorf("expected reason %v, got %s (%v)", reasons, info.Reason, answer)
			return
		}
	}
	t.Errorf("expected ErrorInfo with reason %v, got %v in %v", reasons, &status, answer)
}

// TestCancelByCaller resets calls at different moments; each time the endpoint must hear it at once.
func TestCancelByCaller(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	pair := startPair(t, endpoint.Address)
	client := wire.Dial(t, pair.entry, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	up := endpoint.Accept()
	last := uint32(0)
	for i, moment := range []string{"request open", "request ended", "response begun"} {
		stream := uint32(2*i + 1)
		if i > 0 {
			client.Headers(stream, i == 1, wire.Request(echoPath)...)
		}
		request := up.NextRequest(last)
		last = request.Stream
		if i == 2 {
			up.Headers(request.Stream, false, wire.OK()...)
			client.Want("response headers", func(f wire.Frame) bool { return f.Stream == stream && f.Type == http2.FrameHeaders })
		}
		client.Reset(stream, http2.ErrCodeCancel)
		got := up.WantReset(request.Stream)
		if got.Code != http2.ErrCodeCancel {
			t.Errorf("%s: expected RST_STREAM CANCEL at the endpoint, got %v", moment, got)
		}
	}
	client.PingWait()
	if n := client.Count(func(f wire.Frame) bool { return f.End() }); n != 0 {
		t.Errorf("%d cancelled calls were answered all the same", n)
	}
}

// TestCallerDisappears closes the caller's connection under open calls.
func TestCallerDisappears(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	pair := startPair(t, endpoint.Address)
	client := wire.Dial(t, pair.entry, nil)
	for i := range 10 {
		client.Headers(uint32(2*i+1), i%2 == 0, wire.Request(echoPath)...)
	}
	up := endpoint.Accept()
	eventually(t, "ten calls reach the endpoint", func() bool { return len(endpoint.Requests()) == 10 })
	client.Close()
	for _, request := range endpoint.Requests() {
		if got := up.WantReset(request.Stream); got.Code != http2.ErrCodeCancel {
			t.Errorf("expected RST_STREAM CANCEL, got %v", got)
		}
	}
	wantServesBy(t, pair.entry, up)
}

// wantServesBy makes a call that is answered here, on a connection of an endpoint that does nothing by itself.
func wantServesBy(t *testing.T, address string, up *wire.Conn) {
	t.Helper()
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request("/test.Echo/After")...)
	request := up.Want("the next call", func(f wire.Frame) bool { return f.Get(":path") == "/test.Echo/After" })
	up.Headers(request.Stream, true, wire.OK(field("grpc-status", "0"))...)
	wantStatus(t, client.Answer(1), "0")
}
