package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// TestMetricLabelsAreBounded calls a thousand methods that no configuration names, twice.
func TestMetricLabelsAreBounded(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true})
	for i := range 2000 {
		client.Headers(uint32(2*i+1), true, wire.Request(fmt.Sprintf("/attack.Service/Method%d", i%1000))...)
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
	if len(methods) != 5 || !methods["other"] { // four, and the rest
		t.Errorf("methods with series of their own: %v", methods)
	}
}

// TestRetriesAreCounted fails each first attempt: a call is one retry by policy.
func TestRetriesAreCounted(t *testing.T) {
	var attempts atomic.Int64
	l := endpointLine(t, 1, func(n int, c *wire.Conn, stream uint32) {
		if attempts.Add(1)%2 == 1 {
			fails(n, c, stream)
			return
		}
		succeeds(n, c, stream)
	})
	p, address := outbound(t, l.addresses, "", "retry_budget: { max_tokens: 100 }, idempotent: [ \"test.Echo/Unary\" ], "+
		"retry: { max_attempts: 2, on: [ UNAVAILABLE ], backoff: { initial: 2ms } }")
	c := newClient(t, address)
	const calls = 5
	for range calls {
		wantStatus(t, c.call(echoPath), "0")
	}
	for name, want := range map[string]float64{
		"grpc_client_call_retries_count":             calls,
		"grpc_client_call_retries_sum":               calls,
		"grpc_client_call_retry_delay_seconds_count": calls,
		"outrigger_retry_budget_tokens_max":          100,
		"outrigger_retry_budget_tokens{":             100 - calls + 0.1*calls,
		"outrigger_retry_budget_allows":              1,
	} {
		p.Eventually(wire.Patience, fmt.Sprintf("%s is %v", name, want), func() bool {
			got, found := metricLike(p, name)
			return found && got > want-1e-9 && got < want+1e-9
		})
	}
	if _, found := metricLike(p, "grpc_client_call_transparent_retries"); found {
		t.Errorf("transparent retries are shown, and there were none")
	}
	if got, _ := metricLike(p, "grpc_client_call_retry_delay_seconds_sum"); got < calls*0.0016 {
		t.Errorf("the delays come to %v s", got)
	}
	wantExposition(t, p)
}

// explain runs the command against a running proxy, and gives its exit code and output.
func explain(t *testing.T, p *proxy.Proxy, admin string, more ...string) (int, string, string) {
	t.Helper()
	command := exec.Command(proxy.Binary(t), append([]string{"explain", "-c", p.Config, "--method", "test.Echo/Unary",
		"--admin", admin}, more...)...)
	var out, errors strings.Builder
	command.Stdout, command.Stderr = &out, &errors
	command.Run()
	return command.ProcessState.ExitCode(), out.String(), errors.String()
}

// TestExplainShowsLiveState opens the breaker of one of two endpoints and asks for it, with one worker and with two.
func TestExplainShowsLiveState(t *testing.T) {
	for workers := range 2 {
		t.Run(fmt.Sprintf("workers %d", workers+1), func(t *testing.T) {
			s := newSwitched(t, 1, fails)
			listen := proxy.Address(t)
			p := proxy.Start(t, fmt.Sprintf("workers: %d\n", workers+1)+outboundYAML(listen, s.addresses, "",
				join(breakerOf(longOpen), "retry_budget: { max_tokens: 4 }",
					"methods: { test.Echo/Unary: { retry: { max_attempts: 2, on: [ UNAVAILABLE ], backoff: { initial: 1ms } } } }")))
			code, out, _ := explain(t, p, p.Admin)
			for _, want := range []string{"live: generation 1 of " + p.Config, "breaker closed\n", "4 of 4 tokens", "allowed: the budget is over its half"} {
				if code != 0 || !strings.Contains(out, want) {
					t.Errorf("before: exit %d, no %q in %s", code, want, out)
				}
			}
			c := newClient(t, listen)
			c.open(echoPath, 2)
			c.wantOpen(s.line, echoPath)
			state := fmt.Sprintf("outrigger_breaker_state{service=\"echo\",endpoint=\"%s\",method=\"test.Echo/Unary\",state=", s.addresses[0])
			for name, want := range map[string]float64{
				state + "\"open\"":                 1,
				state + "\"closed\"":               0,
				"outrigger_breaker_openings_total": 1,
				"outrigger_retry_budget_allows":    0,
			} {
				if got, found := metricLike(p, name); !found || got != want {
					t.Errorf("%s is %v (%v), expected %v", name, got, found, want)
				}
			}
			_, out, _ = explain(t, p, p.Admin)
			for _, want := range []string{s.addresses[0] + " ", "breaker open for ", "may be probed in ", "opened 1 time\n", "not allowed: the budget is not over its half"} {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in %s", want, out)
				}
			}
			wantLiveJSON(t, p)
		})
	}
}

func wantLiveJSON(t *testing.T, p *proxy.Proxy) {
	t.Helper()
	_, out, _ := explain(t, p, p.Admin, "--json")
	var page struct {
		Live      struct{ Generation int }
		Listeners []struct {
			Targets []struct {
				Live struct {
					Endpoints []struct {
						Breaker struct {
							State   string
							ProbeIn int `json:"probe_in_ms"`
						}
					}
					Budget struct{ Allows bool }  `json:"retry_budget"`
					Retry  struct{ Allowed bool } `json:"retry"`
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &page); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	live := page.Listeners[0].Targets[0].Live
	breaker := live.Endpoints[0].Breaker
	if page.Live.Generation != 1 || breaker.State != "open" || breaker.ProbeIn < 1000 || breaker.ProbeIn > 30000 || live.Budget.Allows || live.Retry.Allowed {
		t.Errorf("the live state is %+v", page)
	}
}

// TestExplainWithoutAnAdmin: one line tells why, whatever is wrong with the address.
func TestExplainWithoutAnAdmin(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, _ := outbound(t, []string{endpoint.Address}, "", "")
	silent := filepath.Join(t.TempDir(), "nobody")
	for admin, want := range map[string]int{"nowhere": 2, "127.0.0.1:0": 2, "unix:": 2, proxy.Address(t): 1, "unix:" + silent: 1, endpoint.Address: 1, p.Admin: 0} {
		code, out, errors := explain(t, p, admin)
		if code != want || (code != 0) != (out == "") || (code != 0) != (strings.Count(errors, "\n") == 1) {
			t.Errorf("--admin %s: exit %d, expected %d; stdout %q, stderr %q", admin, code, want, out, errors)
		}
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
