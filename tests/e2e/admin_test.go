package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

func TestAdminPages(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "timeout: 2s")
	for path, want := range map[string]int{"/ready": 200, "/live": 200, "/config": 200, "/metrics": 200, "/no-such-page": 404} {
		if status, body := p.Get(path); status != want {
			t.Errorf("%s answered %d: %s", path, status, body)
		}
	}
	_, body := p.Get("/config")
	if !json.Valid([]byte(body)) || !strings.Contains(body, address) || !strings.Contains(body, endpoint.Address) {
		t.Errorf("/config is not JSON that shows the listener and its forward: %s", body)
	}
	response, err := http.Post("http://"+p.Admin+"/ready", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode/100 == 2 {
		t.Errorf("POST /ready answered %d: the admin listener is read only", response.StatusCode)
	}
}

// TestMetrics counts calls of both sides by method and status.
func TestMetrics(t *testing.T) {
	status := "0"
	endpoint := scripted(t, func(c *wire.Conn, stream uint32) {
		c.Headers(stream, false, wire.OK()...)
		c.Data(stream, false, wire.Message([]byte("12345")))
		c.Headers(stream, true, field("grpc-status", status))
	})
	pair := startPair(t, endpoint.Address)
	client := wire.Dial(t, pair.entry, nil)
	const good, bad = 7, 3
	for i := range good + bad {
		if i == good {
			status = "5"
		}
		client.Call(uint32(2*i+1), []byte("123"), wire.Request(echoPath)...)
	}
	for _, side := range []struct {
		name, prefix string
		p            *proxy.Proxy
	}{{"inbound", "grpc_server_call", pair.in}, {"outbound", "grpc_client_attempt", pair.out}} {
		side.p.Eventually(wire.Patience, side.name+" has counted the calls", func() bool {
			started, _ := metricLike(side.p, side.prefix+"_started")
			return started == good+bad
		})
		for code, want := range map[string]float64{"OK": good, "NOT_FOUND": bad} {
			got, found := metricLike(side.p, side.prefix+"_duration", "_count", "grpc_status=\""+code+"\"")
			if !found || got != want {
				t.Errorf("%s: %s_duration counts %v calls with %s, expected %v", side.name, side.prefix, got, code, want)
			}
		}
		if got, _ := metricLike(side.p, side.prefix+"_sent_total_compressed_message_size", "_sum"); got <= 0 {
			t.Errorf("%s: no sent message sizes", side.name)
		}
		if got, _ := metricLike(side.p, side.prefix+"_rcvd_total_compressed_message_size", "_sum"); got <= 0 {
			t.Errorf("%s: no received message sizes", side.name)
		}
		if _, body := side.p.Get("/metrics"); !strings.Contains(body, "\noutrigger_") && !strings.HasPrefix(body, "outrigger_") {
			t.Errorf("%s: no outrigger_ metrics", side.name)
		}
		wantExposition(t, side.p)
	}
}

// TestMetricLabelsAreBounded calls thousands of methods that no configuration names.
func TestMetricLabelsAreBounded(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	for i := range 2000 {
		client.Headers(uint32(2*i+1), true, wire.Request(fmt.Sprintf("/attack.Service/Method%d", i))...)
		if i%50 == 49 {
			client.Answer(uint32(2*i + 1))
		}
	}
	client.Answer(3999)
	_, body := p.Get("/metrics")
	methods := map[string]bool{}
	for line := range strings.Lines(body) {
		if _, rest, ok := strings.Cut(line, "grpc_method=\""); ok {
			name, _, _ := strings.Cut(rest, "\"")
			methods[name] = true
		}
	}
	if len(methods) > 300 {
		t.Errorf("%d methods have series of their own", len(methods))
	}
	if len(methods) > 1 && !methods["other"] {
		t.Errorf("no series for other methods among %d", len(methods))
	}
}

// metricLike sums samples whose line starts with the name and contains every part.
func metricLike(p *proxy.Proxy, name string, parts ...string) (sum float64, found bool) {
	_, body := p.Get("/metrics")
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, name) || strings.Contains(line, "_bucket") {
			continue
		}
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		var value float64
		if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value); all && err == nil {
			sum, found = sum+value, true
		}
	}
	return sum, found
}

// wantExposition checks the text format: each sample belongs to a family with a type, histograms are cumulative and whole.
func wantExposition(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	_, body := p.Get("/metrics")
	types, buckets := map[string]string{}, map[string]float64{}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if fields := strings.Fields(line); strings.HasPrefix(line, "# TYPE ") && len(fields) == 4 {
			types[fields[2]] = fields[3]
		}
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		name, labels, _ := strings.Cut(line[:max(at, 0)], "{")
		var value float64
		if _, err := fmt.Sscan(line[at+1:], &value); err != nil {
			t.Errorf("not a sample: %q", line)
			continue
		}
		family := name
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && types[base] == "histogram" {
				family = base
			}
		}
		if types[family] == "" {
			t.Errorf("no type for %q", line)
		}
		if strings.HasSuffix(name, "_bucket") && types[family] == "histogram" {
			key := family + labels[:strings.Index(labels, "le=\"")]
			if value < buckets[key] {
				t.Errorf("a bucket is smaller than the one before: %q", line)
			}
			buckets[key] = value
			if strings.Contains(labels, "le=\"+Inf\"") {
				delete(buckets, key)
			}
		}
	}
	for key := range buckets {
		t.Errorf("no +Inf bucket for %s", key)
	}
}
