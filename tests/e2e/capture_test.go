package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"

	"outrigger/tests/e2e/internal/netns"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

const (
	sidecarUID = 0 // the proxy runs as the test does
	appUID     = 1000
)

// capturedPod is a pod with a sidecar, an app and the world outside, which is the test itself.
type capturedPod struct {
	*netns.Pod
	t       *testing.T
	sidecar *proxy.Proxy
}

// captureYAML has the same routes for both versions of IP.
func captureYAML(bounds string) string {
	routes := `
    capture: true
    routes:
      - { authority: "payment*", service: payment }
      - { address: "*:7002", service: second }
      - { authority: "slow*", service: own }
`
	return "admin: { listen: \"0.0.0.0:9901\", public: true }\n" + bounds + `
inbound:
  - { listen: "[::]:8443", tls: off, public: true, capture: true, forward: original }
outbound:
  - listen: "127.0.0.1:15001"` + routes + `  - listen: "[::1]:15001"` + routes + `services:
  payment: { endpoints: { static: [ "10.77.0.1:7900" ] }, tls: off }
  second: { endpoints: { static: [ "10.77.0.1:7902" ] }, tls: off }
  own: { endpoints: { original: true }, tls: off, policy: own }
policies: { own: { limits: { max_requests: 7 } } }
`
}

// served answers every call with its own name.
func served(name string) wire.Behaviour {
	return wire.Behaviour{OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			c.Headers(f.Stream, true, wire.OK(field("grpc-status", "0"), field("x-served-by", name))...)
		}
	}}
}

func newCapturedPod(t *testing.T, yaml string) *capturedPod {
	t.Helper()
	p := &capturedPod{Pod: netns.NewPod(t), t: t}
	for _, at := range []struct{ address, name string }{
		{"10.77.0.1:7001", "first"}, {"[fd77::1]:7001", "first"}, {"10.77.0.1:7002", "wrong"}, {"10.77.0.1:7003", "third"},
		{"10.77.0.1:7900", "payment"}, {"10.77.0.1:7902", "second"},
	} {
		wire.Listen(t, at.address, nil, served(at.name))
	}
	for _, at := range []string{"127.0.0.1:50051", "[::1]:50051", "127.0.0.1:7001", "10.77.0.2:7001", "10.77.0.2:50052"} {
		p.listen(at, "app "+at)
	}
	p.start(yaml)
	return p
}

func (p *capturedPod) start(yaml string) {
	p.t.Helper()
	p.sidecar = proxy.StartWith(p.t, yaml, proxy.Options{Wrapper: p.Wrapper(), NoWait: true})
	p.sidecar.Admin = netns.Pod4 + ":9901"
	p.sidecar.WaitReady()
}

// listen puts a service of the app into the pod.
func (p *capturedPod) listen(address, name string) {
	p.t.Helper()
	if err := p.Do(appUID, func() error {
		l, err := net.Listen("tcp", address)
		if err == nil {
			wire.Serve(p.t, l, nil, served(name))
		}
		return err
	}); err != nil {
		p.t.Fatal(err)
	}
}

// capture runs the command in the pod; its whole output.
func (p *capturedPod) capture(args ...string) (string, error) {
	out, err := p.Command(append([]string{proxy.Binary(p.t), "capture"}, args...)...).CombinedOutput()
	return string(out), err
}

func (p *capturedPod) mustCapture(args ...string) {
	p.t.Helper()
	if out, err := p.capture(args...); err != nil {
		p.t.Fatalf("capture %v: %v: %s", args, err, out)
	}
}

// dial connects from the pod as a user; from outside with a uid below 0.
func (p *capturedPod) dial(uid int, address string) (nc net.Conn, err error) {
	if uid < 0 {
		return wire.DialRaw(address)
	}
	err = p.Do(uid, func() error {
		nc, err = wire.DialRaw(address)
		return err
	})
	return nc, err
}

func call(client *wire.Conn, stream uint32, authority string) wire.Answer {
	fields := wire.Request(echoPath)
	fields[3] = field(":authority", authority)
	return client.Call(stream, nil, fields...)
}

// ask makes one call on a connection of its own: who served it, or the reason and the message of a local answer, or the
// error of connecting.
func (p *capturedPod) ask(uid int, address, authority string) string {
	p.t.Helper()
	nc, err := p.dial(uid, address)
	if err != nil {
		return err.Error()
	}
	client := wire.Over(p.t, nc, wire.Behaviour{})
	defer client.Close()
	answer := call(client, 1, authority)
	if by := answer.Trailers.Get("x-served-by"); by != "" {
		return by
	}
	return answer.Trailers.Get("grpc-status") + " " + answer.Trailers.Get("grpc-message")
}

type question struct {
	what               string
	uid                int
	address, authority string
	want               string // part of the answer
}

func (p *capturedPod) expect(questions []question) {
	p.t.Helper()
	for _, q := range questions {
		if got := p.ask(q.uid, q.address, q.authority); !strings.Contains(got, q.want) {
			p.t.Errorf("%s: %s as %s answered %q, expected %q", q.what, q.address, q.authority, got, q.want)
		}
	}
}

var untouched = []question{
	{"a listed port", appUID, "10.77.0.1:7001", "payment", "first"},
	{"a listed port, IPv6", appUID, "[fd77::1]:7001", "payment", "first"},
	{"a port of the app on loopback alone", -1, "10.77.0.2:50051", "x", "refused"},
	{"the same, IPv6", -1, "[fd77::2]:50051", "x", "refused"},
}

var captured = []question{
	{"by authority", appUID, "10.77.0.1:7001", "payment.shop:7001", "payment"},
	{"by authority, IPv6", appUID, "[fd77::1]:7001", "payment.shop", "payment"},
	{"by original address, before the authority of no route", appUID, "10.77.0.1:7002", "x", "second"},
	{"no route", appUID, "10.77.0.1:7001", "x", "first"},
	{"no route, IPv6", appUID, "[fd77::1]:7001", "x", "first"},
	{"a service with original endpoints", appUID, "10.77.0.1:7001", "slow", "first"},
	{"the sidecar's own connections", sidecarUID, "10.77.0.1:7001", "payment", "first"},
	{"a port that is not listed", appUID, "10.77.0.1:7003", "payment", "third"},
	{"loopback of the pod", appUID, "127.0.0.1:7001", "payment", "app 127.0.0.1:7001"},
	{"the pod's own address", appUID, "10.77.0.2:7001", "payment", "app 10.77.0.2:7001"},
	{"from outside", -1, "10.77.0.2:50051", "x", "app 127.0.0.1:50051"},
	{"from outside, IPv6", -1, "[fd77::2]:50051", "x", "app [::1]:50051"},
	{"from outside, a port that is not listed", -1, "10.77.0.2:50052", "x", "app 10.77.0.2:50052"},
	{"from outside, a listed outbound port", -1, "10.77.0.2:7001", "x", "app 10.77.0.2:7001"},
}

// TestCapture redirects ports of a pod with each tool, twice, and takes that back.
func TestCapture(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	p := newCapturedPod(t, captureYAML(""))
	p.expect(untouched)
	for _, tool := range []string{"libnftables", "nft", "iptables"} {
		if tool != "libnftables" {
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("%s is not here", tool)
				continue
			}
		}
		args := []string{"--inbound", "50051,60000-60010", "--outbound", "7001,7002", "--uid", fmt.Sprint(sidecarUID), "--tool", tool}
		if out, err := p.capture(args...); err != nil && strings.Contains(out, "is not here") {
			t.Logf("%s", out)
			continue
		} else if err != nil {
			t.Fatalf("%s: %v: %s", tool, err, out)
		}
		p.expect(captured)
		first := p.rules(tool)
		p.mustCapture(args...)
		if again := p.rules(tool); first != again || !strings.Contains(first, "60010") {
			t.Errorf("%s: the second run made\n%s\nof\n%s", tool, again, first)
		}
		p.expect(captured[:1])
		p.mustCapture("--remove", "--tool", tool)
		p.mustCapture("--remove", "--tool", tool)
		if left := p.rules(tool); strings.Contains(strings.ToUpper(left), "OUTRIGGER") {
			t.Errorf("%s left behind\n%s", tool, left)
		}
		p.expect(untouched)
	}
}

// rules is what the kernel has, without counters.
func (p *capturedPod) rules(tool string) string {
	p.t.Helper()
	var all []string
	for _, argv := range map[bool][][]string{false: {{"nft", "list", "ruleset"}}, true: {{"iptables", "-t", "nat", "-S"}, {"ip6tables", "-t", "nat", "-S"}}}[tool == "iptables"] {
		out, err := p.Command(argv...).Output()
		if err != nil {
			p.t.Fatalf("%v: %v", argv, err)
		}
		all = append(all, string(out))
	}
	return strings.Join(all, "")
}

// TestCaptureLoop has connections that were going to no place but a listener of the sidecar: their calls go by authority
// alone, and are never brought back.
func TestCaptureLoop(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	p := newCapturedPod(t, captureYAML(""))
	p.mustCapture("--inbound", "50051,9901", "--outbound", "7001", "--uid", fmt.Sprint(sidecarUID))
	p.sidecar.Admin = "" // it is captured, too
	direct, loop := "14 the connection was made to this listener itself", "14 the original destination is a listener of this sidecar"
	p.expect([]question{
		{"the inbound listener itself", -1, "10.77.0.2:8443", "x", direct},
		{"the inbound listener itself, IPv6", -1, "[fd77::2]:8443", "x", direct},
		{"the outbound listener itself", appUID, "127.0.0.1:15001", "x", direct},
		{"the outbound listener itself, with a route", appUID, "127.0.0.1:15001", "payment", "payment"},
		{"the admin page", -1, "10.77.0.2:9901", "x", loop},
		{"the app", -1, "10.77.0.2:50051", "x", "app 127.0.0.1:50051"},
	})
}

// TestCaptureBound holds as many original destinations as there may be: one more is refused while all are in use, and takes
// the place of one that is not.
func TestCaptureBound(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	p := newCapturedPod(t, captureYAML("bounds: { original_destinations: 2 }"))
	for port := 7010; port < 7014; port++ {
		wire.Listen(t, fmt.Sprintf("10.77.0.1:%d", port), nil, served(fmt.Sprint(port)))
	}
	p.mustCapture("--outbound", "7010-7013", "--uid", fmt.Sprint(sidecarUID))
	hold := func(port int) *wire.Conn {
		t.Helper()
		nc, err := p.dial(appUID, fmt.Sprintf("10.77.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		return wire.Over(t, nc, wire.Behaviour{})
	}
	wantBy := func(c *wire.Conn, stream uint32, port int) {
		t.Helper()
		if by := call(c, stream, "x").Trailers.Get("x-served-by"); by != fmt.Sprint(port) {
			t.Fatalf("%d was served by %q", port, by)
		}
	}
	first, second := hold(7010), hold(7011)
	wantBy(first, 1, 7010)
	wantBy(second, 1, 7011)
	if _, closed := hold(7012).WaitClosed(wire.Patience); !closed {
		t.Error("a third destination is taken")
	}
	if n, _ := p.sidecar.Metric("outrigger_bound_reached_total", `bound="original_destinations"`); n != 1 {
		t.Errorf("%v refusals are counted", n)
	}
	another := hold(7011)
	wantBy(another, 1, 7011)
	first.Close()
	eventually(t, "the first one's end is seen", func() bool {
		n, _ := p.sidecar.Metric("outrigger_downstream_connections")
		return n == 2 // of 7011
	})
	third := hold(7013)
	wantBy(third, 1, 7013)
	wantBy(second, 3, 7011)
	_, page := p.sidecar.Get("/config")
	if strings.Contains(page, "10.77.0.1:7010") || !strings.Contains(page, "10.77.0.1:7011") || !strings.Contains(page, "10.77.0.1:7013") {
		t.Errorf("the page does not show the two destinations:\n%s", page)
	}
}

// TestCaptureBlackHole drops what goes to one of two endpoints: first the SYN, later both ways in the middle of its
// connection. No call fails.
func TestCaptureBlackHole(t *testing.T) {
	if !netns.Enter(t) {
		return
	}
	p := newCapturedPod(t, "admin: { listen: \"0.0.0.0:9901\", public: true }\n"+`outbound:
  - listen: "127.0.0.1:15001"
    capture: true
    routes: [ { authority: "payment*", service: payment } ]
services:
  payment: { endpoints: { static: [ "10.77.0.1:7801", "10.77.0.1:7802" ] }, tls: off, policy: quick, balance: round_robin }
policies:
  quick:
    idempotent: ["test.Echo/*"]
    retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 200ms, backoff: { initial: 5ms, max: 5ms } }
    retry_budget: { max_tokens: 1000, token_ratio: 1 }
`)
	for _, port := range []string{"7801", "7802"} {
		wire.Listen(t, "10.77.0.1:"+port, nil, served(port))
	}
	p.mustCapture("--outbound", "7001", "--uid", fmt.Sprint(sidecarUID))
	nc, err := p.dial(appUID, "10.77.0.1:7001")
	if err != nil {
		t.Fatal(err)
	}
	client, stream := wire.Over(t, nc, wire.Behaviour{Quiet: true}), uint32(1)
	// calls makes as many, all of them good; how often each endpoint served.
	calls := func(n int) map[string]int {
		t.Helper()
		by := map[string]int{}
		for range n {
			answer := call(client, stream, "payment")
			wantStatus(t, answer, "0")
			by[answer.Trailers.Get("x-served-by")]++
			stream += 2
		}
		return by
	}
	hole := func(rules string) {
		t.Helper()
		nft := exec.Command("nft", "-f", "-")
		nft.Stdin = strings.NewReader("table inet hole\ndelete table inet hole\n" + rules)
		if out, err := nft.CombinedOutput(); err != nil {
			t.Fatalf("nft: %v: %s", err, out)
		}
	}
	const both = `table inet hole {
	chain in { type filter hook input priority 0
		tcp dport 7802 drop
	}
	chain out { type filter hook output priority 0
		tcp sport 7802 drop
	}
}
`
	hole(both)
	if by := calls(10); by["7801"] != 10 {
		t.Errorf("with one endpoint that cannot be connected to: %v", by)
	}
	eventually(t, "its connection is given up", func() bool {
		n, _ := p.sidecar.Metric("outrigger_upstream_connect_failures_total")
		return n > 0
	})
	hole("")
	eventually(t, "the other one serves", func() bool { return calls(1)["7802"] == 1 })
	hole(both)
	if by := calls(10); by["7801"] != 10 {
		t.Errorf("with one endpoint gone silent: %v", by)
	}
	hole("")
	eventually(t, "the other one is back", func() bool { return calls(1)["7802"] == 1 })
}
