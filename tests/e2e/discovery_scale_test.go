package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/kube"
	"outrigger/tests/e2e/internal/proxy"
)

// TestKubernetesScale follows 100 services of 50 endpoints each: a changed slice leads to a call of the new endpoint, and
// memory stays small. The figures are in the log.
func TestKubernetesScale(t *testing.T) {
	if !full() {
		t.Skip("a long run")
	}
	const services, each = 100, 50
	c := &cluster{api: kube.Start(t), endpoints: startEverywhere(t), entry: proxy.Address(t)}
	ip := func(service, n int) string { return fmt.Sprintf("127.%d.%d.%d", 2+service, n/200, 1+n%200) }
	slice := func(service, from int) kube.Slice {
		s := kube.Slice{Name: fmt.Sprintf("s%d-a", service), Service: fmt.Sprintf("s%d", service), Ports: []kube.Port{{Name: "grpc", Number: c.endpoints.port}}}
		for n := range each {
			s.Endpoints = append(s.Endpoints, kube.Endpoint{Address: ip(service, from+n), Pod: fmt.Sprintf("pod-%d-%d", service, from+n)})
		}
		return s
	}
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "outbound:\n  - listen: %q\n    routes:\n", c.entry)
	for service := range services {
		c.api.Put(slice(service, 0))
		fmt.Fprintf(&yaml, "      - { authority: \"s%d\", service: s%d }\n", service, service)
	}
	fmt.Fprintf(&yaml, "      - { service: s0 }\nservices:\n")
	for service := range services {
		fmt.Fprintf(&yaml, "  s%d: %s\n", service, kubernetesService(c, fmt.Sprintf("s%d", service), ", balance: round_robin"))
	}
	c.proxy = proxy.Start(t, yaml.String())
	c.proxy.Eventually(30*time.Second, "all endpoints are known", func() bool {
		n, ok := c.proxy.Metric("outrigger_discovery_endpoints")
		return ok && n == services*each
	})
	if n := c.api.Lists(); n != services {
		t.Errorf("%d lists", n)
	}
	kib := c.proxy.ResidentKiB()
	t.Logf("%d KiB resident with %d endpoints in %d services", kib, services*each, services)
	if kib > 25*1024 {
		t.Errorf("more than 25 MiB")
	}
	calls := startLoad(t, c.entry, 500) // of s0
	c.wantCalled(t, time.Time{}, ip(0, 0))
	var waits []time.Duration
	for turn := range 21 {
		comes := ip(0, each+turn)
		changed := time.Now()
		c.api.Put(slice(0, turn+1))
		c.wantCalled(t, changed, comes)
		at, _ := c.endpoints.firstCall(comes, changed)
		waits = append(waits, at.Sub(changed))
	}
	slices.Sort(waits)
	t.Logf("from a changed slice to the first call: median %v, most %v", waits[10], waits[20])
	if waits[10] > 200*time.Millisecond || waits[20] > time.Second {
		t.Error("that is too long")
	}
	calls.wantNoneFailed(t)
}
