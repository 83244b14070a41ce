package abuse

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestE16MissingAtStart starts without an endpoint, a name, a certificate: the proxy serves what it can and says why it
// cannot, or it does not start, and never serves in the clear what was to be TLS.
func TestE16MissingAtStart(t *testing.T) {
	for _, c := range []struct{ name, endpoints, reason string }{
		{"Endpoint", `static: [ "127.0.0.1:1" ]`, "UPSTREAM_CONNECT NO_ENDPOINT"},
		{"Name", `dns: "nobody.invalid:50051"`, "NO_ENDPOINT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			listen := proxy.Address(t)
			proxy.Start(t, fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { service: gone } ] }\nservices:\n  gone: { endpoints: { %s }, tls: off }\n", listen, c.endpoints))
			answer := wire.Dial(t, listen, nil).Call(1, nil, wire.Request(peer.Quick, wire.Field{Name: "grpc-timeout", Value: "4S"})...)
			if status := answer.Status(); status != "14" {
				t.Errorf("expected UNAVAILABLE, got %v", answer)
			}
		})
	}
	ca, other := cert.New(t), cert.New(t)
	dir := t.TempDir()
	good := cert.Write(t, dir, "edge", ca.Service(t, "edge"), ca)
	strange := cert.Write(t, dir, "strange", other.Service(t, "strange"), other)
	empty, cut := filepath.Join(dir, "empty"), filepath.Join(dir, "cut")
	whole, _ := os.ReadFile(good.Cert)
	for path, content := range map[string][]byte{empty: nil, cut: whole[:len(whole)/2]} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, cert, key, trust, says string }{
		{"Certificate", filepath.Join(dir, "absent"), good.Key, good.Trust, "absent"},
		{"Key", good.Cert, filepath.Join(dir, "absent"), good.Trust, "absent"},
		{"Trust", good.Cert, good.Key, filepath.Join(dir, "absent"), "absent"},
		{"KeyOfAnother", good.Cert, strange.Key, good.Trust, "strange"},
		{"EmptyCertificate", empty, good.Key, good.Trust, "empty"},
		{"CutCertificate", cut, good.Key, good.Trust, "cut"},
		{"EmptyTrust", good.Cert, good.Key, empty, "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			listen := proxy.Address(t)
			p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\nidentity: { certificate: %s, private_key: %s, trust: %s }\n",
				listen, c.cert, c.key, c.trust), proxy.Options{NoWait: true})
			if code := p.WaitExit(peer.Patience); code != 1 {
				t.Errorf("exit code %d, expected 1", code)
			}
			if !strings.Contains(p.Log(), c.says) {
				t.Errorf("the log does not name the file:\n%s", p.Log())
			}
			if nc, err := net.Dial("tcp", listen); err == nil {
				nc.Close()
				t.Error("the listener is open")
			}
		})
	}
}

// TestE17BytesOneByOne reads one byte at a time and writes few, as TCP may do: calls in the clear and over TLS of many
// sizes; in the full run the whole of both conformance suites, at one to seven bytes a read.
func TestE17BytesOneByOne(t *testing.T) {
	options := shim(t, "bytes")
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "edge", ca.Service(t, "edge"), ca)
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	clear, secure := proxy.Address(t), proxy.Address(t)
	proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n  - { listen: \"%s\", forward: \"%s\" }\nidentity: { certificate: %s, private_key: %s, trust: %s }\n",
		clear, endpoint.Address, secure, endpoint.Address, files.Cert, files.Key, files.Trust), options)
	caller := ca.Service(t, "caller")
	for i, client := range []*wire.Conn{wire.Dial(t, clear, nil), wire.Dial(t, secure, ca.ClientTLS(t, &caller, "localhost"))} {
		for j, size := range []int{0, 1, 100, 5000, 20000, 50000} {
			body := []byte(strings.Repeat("b", size))
			stream := uint32(2*j + 1)
			client.Headers(stream, false, wire.Request("/test.Echo/Unary", wire.Field{Name: "x-long", Value: strings.Repeat("v", size/8)})...)
			client.Data(stream, true, wire.Message(body))
			answer := client.AnswerWithin(stream, time.Minute) // tens of thousands of turns
			if answer.Status() != "0" || len(answer.Data) != size+5 || string(answer.Data[5:]) != string(body) {
				t.Errorf("listener %d, %d bytes: %v", i, size, answer)
			}
		}
	}
	if !full() {
		return
	}
	wrapper := filepath.Join(t.TempDir(), "outrigger")
	script := fmt.Sprintf("#!/bin/sh\n%s ABUSE_WRITE=1024 ABUSE_READ=7\nexport LD_PRELOAD ABUSE_WRITE ABUSE_READ\nexec '%s' \"$@\"\n", options.Env[len(options.Env)-1], proxy.Binary(t))
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	suite := exec.Command("go", "test", "-count=1", "-v", "-timeout", "20m", "-run", "^TestConformance", "./...")
	suite.Dir = filepath.Join("..", "e2e")
	suite.Env = append(os.Environ(), "OUTRIGGER="+wrapper, "E2E_FULL=0")
	out, err := suite.CombinedOutput()
	for _, name := range []string{"TestConformanceGRPCServer", "TestConformanceReferenceServer"} {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s has not passed", name)
		}
	}
	if err != nil {
		t.Errorf("conformance: %v\n%s", err, out)
	}
}

var methodLabel = regexp.MustCompile(`grpc_method="([^"]*)"`)

// seriesMax is how many a scrape may have, whatever callers invent.
const seriesMax = 1000

// TestE18LabelFlood calls 100,000 methods twice at as many authorities, through a listener of either direction and at an endpoint
// that answers them all with OK: what callers choose is not what metrics count.
func TestE18LabelFlood(t *testing.T) {
	t.Run("Inbound", func(t *testing.T) {
		s := stage(t, "", "")
		floodLabels(t, s, s.address)
	})
	t.Run("Outbound", func(t *testing.T) {
		endpoint, address := peer.Serve(t), proxy.Address(t)
		s := stage(t, "", fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { service: flood } ] }\nservices:\n  flood: { endpoints: { static: [ \"%s\" ] }, tls: off }\n",
			address, endpoint.Address))
		floodLabels(t, s, address)
	})
}

func floodLabels(t *testing.T, s *scene, address string) {
	a := peer.Attack(t, address, peer.Options{Track: true})
	calls := sized(3000, 200000)
	s.under(func() time.Duration {
		a.Run(func() {
			for i := range calls {
				fields := frames.Request(fmt.Sprintf("/flood.Service%d/Method%d", i/100, i/2))
				fields[3] = hpack.HeaderField{Name: ":authority", Value: fmt.Sprintf("host%d.example", i/2)}
				a.Open(uint32(2*i+1), true, frames.Block(fields...))
				if (i < 20 || i%50 == 49) && !a.End(uint32(2*i+1), peer.Patience) {
					t.Fatalf("call %d was not answered", i)
				}
			}
		})
		return a.CPU()
	})
	_, body := s.proxy.Get("/metrics")
	methods, series := map[string]bool{}, 0
	for line := range strings.Lines(body) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	for _, m := range methodLabel.FindAllStringSubmatch(body, -1) {
		if strings.HasPrefix(m[1], "flood.") {
			methods[m[1]] = true
		}
	}
	if series > seriesMax {
		t.Errorf("%d series in /metrics, at most %d expected", series, seriesMax)
	}
	if len(methods) < 3 || len(methods) > 4 || strings.Contains(body, ".example") { // the neighbour's may be one of the four
		t.Errorf("methods with series of their own: %v; names of hosts: %v", methods, strings.Contains(body, ".example"))
	}
	s.judge(fmt.Sprintf("%d series", series), 8<<10, "unnamed_methods")
}
