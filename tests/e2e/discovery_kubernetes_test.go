package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/kube"
	"outrigger/tests/e2e/internal/proxy"
)

// cluster is an API server, one server on every loopback address, and a proxy that learns of them from it.
type cluster struct {
	api       *kube.Server
	endpoints *everywhere
	proxy     *proxy.Proxy
	entry     string
}

func kubernetesService(c *cluster, service, more string) string {
	return fmt.Sprintf("{ endpoints: { kubernetes: { service: %s, namespace: shop, port: grpc, api: %q, token: %q, ca: %q } }, tls: off%s }",
		service, c.api.URL, c.api.Token, c.api.CA, more)
}

func startCluster(t *testing.T, more string, slices ...kube.Slice) *cluster {
	t.Helper()
	c := &cluster{api: kube.Start(t), endpoints: startEverywhere(t), entry: proxy.Address(t)}
	for i := range slices {
		c.fit(&slices[i])
	}
	c.api.Put(slices...)
	c.proxy = proxy.Start(t, fmt.Sprintf("node: { zone: here }\noutbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n  echo: %s\n",
		c.entry, kubernetesService(c, "echo", more)))
	return c
}

func (c *cluster) fit(s *kube.Slice) {
	s.Service = "echo"
	if s.Ports == nil && !s.Null {
		s.Ports = []kube.Port{{Name: "metrics", Number: 1}, {Name: "grpc", Number: c.endpoints.port}}
	}
}

func (c *cluster) put(slices ...kube.Slice) {
	for i := range slices {
		c.fit(&slices[i])
	}
	c.api.Put(slices...)
}

func sliceOf(name string, ips ...string) kube.Slice {
	s := kube.Slice{Name: name}
	for _, ip := range ips {
		s.Endpoints = append(s.Endpoints, kube.Endpoint{Address: ip, Pod: "pod-" + ip})
	}
	return s
}

func (c *cluster) wantCalled(t *testing.T, since time.Time, ips ...string) {
	t.Helper()
	for _, ip := range ips {
		eventually(t, ip+" is called", func() bool { return c.endpoints.called(ip, since) > 0 })
	}
}

// wantOnly waits until these are the endpoints, and calls go to no other.
func (c *cluster) wantOnly(t *testing.T, ips ...string) {
	t.Helper()
	c.wantEndpoints(t, len(ips))
	c.wantCalled(t, time.Now(), ips...)
	eventually(t, "nobody else is called", func() bool {
		since := time.Now().Add(-100 * time.Millisecond)
		return c.endpoints.called(ips[0], since) > 0 && c.endpoints.strangers(since, ips) == 0
	})
	settled := time.Now()
	eventually(t, "more calls", func() bool { return c.endpoints.called(ips[0], settled) > 20 })
	if n := c.endpoints.strangers(settled, ips); n > 0 {
		t.Errorf("%d others were called", n)
	}
}

// strangers counts the endpoints that were called since then and are not among the expected ones.
func (e *everywhere) strangers(since time.Time, expected []string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ip, calls := range e.calls {
		if calls[len(calls)-1].After(since) && !slices.Contains(expected, ip) {
			n++
		}
	}
	return n
}

func (c *cluster) wantEndpoints(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d endpoints", n), func() bool {
		got, ok := c.proxy.Metric("outrigger_discovery_endpoints", `service="echo"`)
		return ok && int(got) == n
	})
}

// TestKubernetesFollowsSlices rolls every endpoint over under load, by new slices, changed ones and deleted ones: each change
// is used within a second, and no call fails.
func TestKubernetesFollowsSlices(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "", sliceOf("echo-a", "127.0.1.1", "127.0.1.2"))
	calls := startLoad(t, c.entry, 300)
	c.wantCalled(t, time.Time{}, "127.0.1.1", "127.0.1.2")
	for turn := range 6 {
		goes, comes := fmt.Sprintf("127.0.1.%d", turn+1), fmt.Sprintf("127.0.1.%d", turn+3)
		changed := time.Now()
		if turn%2 == 0 {
			c.put(sliceOf("echo-a", fmt.Sprintf("127.0.1.%d", turn+2)), sliceOf("echo-b", comes))
		} else {
			c.put(sliceOf("echo-a", fmt.Sprintf("127.0.1.%d", turn+2), comes))
			c.api.Delete("echo-b")
		}
		c.wantCalled(t, changed, comes)
		at, _ := c.endpoints.firstCall(comes, changed)
		t.Logf("the change was seen after %v", at.Sub(changed))
		if at.Sub(changed) > time.Second {
			t.Errorf("that is more than 1 s")
		}
		eventually(t, "the connection to "+goes+" is closed", func() bool { return c.endpoints.open(goes) == 0 })
	}
	calls.wantNoneFailed(t)
	if n := c.api.Lists(); n != 1 {
		t.Errorf("%d lists, expected 1", n)
	}
}

// TestKubernetesReadsSlices puts what the API allows into slices and looks at who is called.
func TestKubernetesReadsSlices(t *testing.T) {
	t.Parallel()
	yes, no := kube.Bool(true), kube.Bool(false)
	draining := kube.Endpoint{Address: "127.0.2.9", Ready: no, Serving: yes, Terminating: yes}
	for _, c := range []struct {
		name   string
		slices []kube.Slice
		only   []string
	}{
		{"null endpoints and ports", []kube.Slice{{Name: "echo-n", Null: true}, sliceOf("echo-a", "127.0.2.1")}, []string{"127.0.2.1"}},
		{"the same endpoint in two slices", []kube.Slice{sliceOf("echo-a", "127.0.2.1", "127.0.2.2"), sliceOf("echo-b", "127.0.2.2", "127.0.2.1")}, []string{"127.0.2.1", "127.0.2.2"}},
		{"one that is not ready", []kube.Slice{{Name: "echo-a", Endpoints: []kube.Endpoint{{Address: "127.0.2.1"}, {Address: "127.0.2.8", Ready: no}}}}, []string{"127.0.2.1"}},
		{"one that drains beside a ready one", []kube.Slice{{Name: "echo-a", Endpoints: []kube.Endpoint{{Address: "127.0.2.1", Ready: yes, Serving: yes, Terminating: no}, draining}}}, []string{"127.0.2.1"}},
		{"nobody but one that drains", []kube.Slice{{Name: "echo-a", Endpoints: []kube.Endpoint{draining}}}, []string{"127.0.2.9"}},
		{"both families", []kube.Slice{sliceOf("echo-4", "127.0.2.1"), {Name: "echo-6", Type: "IPv6", Endpoints: []kube.Endpoint{{Address: "::1", Pod: "pod-127.0.2.1"}}}}, []string{"127.0.2.1"}},
		{"IPv6 alone", []kube.Slice{{Name: "echo-6", Type: "IPv6", Endpoints: []kube.Endpoint{{Address: "::1"}}}}, []string{"::1"}},
		{"names", []kube.Slice{sliceOf("echo-a", "127.0.2.1"), {Name: "echo-f", Type: "FQDN", Endpoints: []kube.Endpoint{{Address: "payment.example"}}}}, []string{"127.0.2.1"}},
		{"another port", []kube.Slice{sliceOf("echo-a", "127.0.2.1"), {Name: "echo-p", Ports: []kube.Port{{Name: "http", Number: 80}}, Endpoints: []kube.Endpoint{{Address: "127.0.2.2"}}}}, []string{"127.0.2.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cluster := startCluster(t, ", balance: round_robin", c.slices...)
			calls := startLoad(t, cluster.entry, 100)
			cluster.wantOnly(t, c.only...)
			calls.wantNoneFailed(t)
		})
	}
}

// TestKubernetesPrefersHintedZone lets hints steer: the hinted endpoints are called while one lives, then the others.
func TestKubernetesPrefersHintedZone(t *testing.T) {
	t.Parallel()
	near := kube.Endpoint{Address: "127.0.3.1", Zones: []string{"here"}}
	far := kube.Endpoint{Address: "127.0.3.2", Zones: []string{"there"}}
	plain := kube.Endpoint{Address: "127.0.3.2"}
	c := startCluster(t, ", balance: round_robin", kube.Slice{Name: "echo-a", Endpoints: []kube.Endpoint{near, far}})
	calls := startLoad(t, c.entry, 200)
	c.wantCalled(t, time.Time{}, "127.0.3.1")
	start := time.Now()
	eventually(t, "more calls", func() bool { return c.endpoints.called("127.0.3.1", start) > 50 })
	if n := c.endpoints.called("127.0.3.2", time.Time{}); n > 0 {
		t.Errorf("the other zone was called %d times", n)
	}
	c.put(kube.Slice{Name: "echo-a", Endpoints: []kube.Endpoint{near, plain}}) // hints that are not whole do not count
	c.wantCalled(t, time.Now(), "127.0.3.1", "127.0.3.2")
	c.put(kube.Slice{Name: "echo-a", Endpoints: []kube.Endpoint{far}}) // nobody is for us
	c.wantOnly(t, "127.0.3.2")
	calls.wantNoneFailed(t)
}

// TestKubernetesKeepsLastGood troubles the API server in every way: the last good set holds, no call fails, the server is
// not asked more often than 0.8 s apart, and a change is seen when it is back.
func TestKubernetesKeepsLastGood(t *testing.T) {
	t.Parallel()
	answer := func(status int, header, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if header != "" {
				w.Header().Set("Retry-After", header)
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	onWatch := func(f func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Query().Get("watch") != "" && f(w, r)
		}
	}
	onList := func(f func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Query().Get("watch") == "" && f(w, r)
		}
	}
	empty := `{"kind":"EndpointSliceList","metadata":{"resourceVersion":"9"},"items":[]}`
	for _, c := range []struct {
		name, reason string
		forget       bool
		trouble      func(http.ResponseWriter, *http.Request) bool
	}{
		{"429", "refused", false, answer(429, "1", "slow down")},
		{"500", "servfail", false, answer(500, "", empty)},
		{"503 with Retry-After", "servfail", false, answer(503, "1", "")},
		{"403", "forbidden", false, answer(403, "", "no")},
		{"404", "nxdomain", false, answer(404, "", "what")},
		{"410 of every watch", "refused", false, onWatch(answer(410, "", ""))},
		{"half JSON in a list", "malformed", true, onList(answer(200, "", empty[:40]))},
		{"a list of another kind", "malformed", true, onList(answer(200, "", `{"metadata":{"resourceVersion":"9"},"items":[{"metadata":{}}]}`))},
		{"a list without a version", "malformed", true, onList(answer(200, "", `{"items":[]}`))},
		{"half JSON in a watch", "malformed", false, onWatch(answer(200, "", `{"type":"DELETED","object":{"metadata":{"name":"echo-a","resourceVersion"`+"\n"))},
		{"an unknown event", "malformed", false, onWatch(answer(200, "", `{"type":"GONE","object":{"metadata":{"name":"echo-a","resourceVersion":"9"}}}`+"\n"))},
		{"a watch that ends at once", "failed", false, onWatch(answer(200, "", ""))},
	} {
		if !full() && !slices.Contains([]string{"429", "410 of every watch", "half JSON in a list", "half JSON in a watch"}, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cluster := startCluster(t, "", sliceOf("echo-a", "127.0.4.1", "127.0.4.2"))
			calls := startLoad(t, cluster.entry, 50)
			cluster.wantCalled(t, time.Time{}, "127.0.4.1", "127.0.4.2")
			if c.forget {
				cluster.api.Forget()
			}
			cluster.api.Trouble(c.trouble)
			cluster.proxy.Eventually(15*time.Second, "two failures", func() bool {
				n, ok := cluster.proxy.Metric("outrigger_discovery_failures_total", `service="echo"`, fmt.Sprintf("reason=%q", c.reason))
				return ok && n >= 2
			})
			cluster.wantEndpoints(t, 2)
			asked := len(cluster.api.Requests())
			cluster.api.Trouble(nil)
			cluster.put(sliceOf("echo-a", "127.0.4.3"))
			cluster.proxy.Eventually(15*time.Second, "the change is seen", func() bool { return cluster.endpoints.called("127.0.4.3", time.Time{}) > 0 })
			calls.wantNoneFailed(t)
			if asked > 12 {
				t.Errorf("the API server was asked %d times", asked)
			}
			if !strings.Contains(cluster.proxy.Log(), `"event":"lookup_recovered"`) {
				t.Error("the recovery is not told")
			}
		})
	}
}

// TestKubernetesCutWatches cuts the watch again and again while endpoints change: nothing is missed, and no new list is
// needed; after 410 Gone one is.
func TestKubernetesCutWatches(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "", sliceOf("echo-a", "127.0.5.1"))
	calls := startLoad(t, c.entry, 100)
	c.wantCalled(t, time.Time{}, "127.0.5.1")
	for turn := range 4 {
		c.api.Bookmark()
		c.api.CutWatches()
		changed := time.Now()
		c.put(sliceOf("echo-a", fmt.Sprintf("127.0.5.%d", turn+2)))
		c.wantCalled(t, changed, fmt.Sprintf("127.0.5.%d", turn+2))
	}
	if n := c.api.Lists(); n != 1 {
		t.Errorf("%d lists, expected 1", n)
	}
	c.put(sliceOf("echo-a", "127.0.5.9"))
	c.api.Forget()
	c.api.CutWatches()
	c.wantCalled(t, time.Time{}, "127.0.5.9")
	eventually(t, "another list", func() bool { return c.api.Lists() == 2 })
	calls.wantNoneFailed(t)
}

// TestKubernetesRotatesToken changes the token: what is asked later carries the new one.
func TestKubernetesRotatesToken(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "", sliceOf("echo-a", "127.0.6.1"))
	calls := startLoad(t, c.entry, 50)
	c.wantCalled(t, time.Time{}, "127.0.6.1")
	c.api.SetToken(t, "second")
	c.api.Bookmark()
	c.api.CutWatches()
	c.put(sliceOf("echo-a", "127.0.6.2"))
	c.wantCalled(t, time.Time{}, "127.0.6.2")
	calls.wantNoneFailed(t)
	if n, _ := c.proxy.Metric("outrigger_discovery_failures_total", `service="echo"`, `reason="forbidden"`); n > 0 {
		t.Errorf("%v requests were refused", n)
	}
}

// TestKubernetesStartsWithoutAPI begins while nothing can be asked: calls wait, then fail; when the list comes they pass.
func TestKubernetesStartsWithoutAPI(t *testing.T) {
	t.Parallel()
	c := &cluster{api: kube.Start(t), endpoints: startEverywhere(t), entry: proxy.Address(t)}
	token, err := os.ReadFile(c.api.Token)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(c.api.Token)
	c.proxy = proxy.Start(t, fmt.Sprintf("outbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n  echo: %s\n", c.entry, kubernetesService(c, "echo", "")))
	client := dial(t, c.entry)
	if err := callOnce(client, 3*time.Second); err == nil || !strings.Contains(err.Error(), "Unavailable") {
		t.Errorf("a call ended with %v", err)
	}
	c.put(sliceOf("echo-a", "127.0.7.1"))
	c.api.SetToken(t, strings.TrimSpace(string(token)))
	eventually(t, "calls pass", func() bool { return callOnce(client, time.Second) == nil })
	for _, q := range c.api.Requests() {
		if !strings.Contains(q.Query, "labelSelector=kubernetes.io%2Fservice-name%3Decho") {
			t.Errorf("asked for %s", q.Query)
		}
	}
}
