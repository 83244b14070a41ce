//go:build cluster

package e2e

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/cert"
)

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (l *follower) failures(reason string) int {
	n, _ := l.Metric("outrigger_discovery_failures_total", `service="echo"`, fmt.Sprintf("reason=%q", reason))
	return int(n)
}

// TestClusterFollowsRollouts: the deployment controller replaces, adds and removes pods, the endpointslice controller tells,
// and calls follow. The pods end without waiting for anybody.
func TestClusterFollowsRollouts(t *testing.T) {
	k := openKube(t)
	f := startCrew(t, k, 4)
	k.allow(t, f.ns, "list", "watch")
	f.settled(t, 4)
	l := f.follow(t, k.url, readFile(t, filepath.Join(k.folder, "ca.crt")), k.token(t, f.ns, "first"), false)
	calls := startLoad(t, l.entry, 200)
	f.wantAllCalled(t)
	var took []time.Duration
	for turn := range 3 {
		f.roll(t, turn)
		took = append(took, f.wantAllCalled(t)...)
	}
	for _, replicas := range []int{12, 2, 5} {
		f.scale(t, replicas)
		if replicas > 5 {
			took = append(took, f.wantAllCalled(t)...)
		}
		within(t, 10*time.Second, fmt.Sprintf("%d endpoints", replicas), func() bool {
			n, ok := l.Metric("outrigger_discovery_endpoints", `service="echo"`)
			return ok && int(n) == replicas
		})
	}
	calls.wantNoneFailed(t)
	t.Logf("from a pod's readiness, through the controller, to its first call: median %v, most %v of %d", median(took), slices.Max(took), len(took))
	if m := median(took); m > time.Second {
		t.Errorf("the median is %v", m)
	}
}

// TestClusterSeesSlicesSoon writes slices itself and takes the time from before the request to the first call.
func TestClusterSeesSlicesSoon(t *testing.T) {
	k := openKube(t)
	f := startCrew(t, k, 0)
	k.allow(t, f.ns, "list", "watch")
	path := "/apis/discovery.k8s.io/v1/namespaces/" + f.ns + "/endpointslices"
	for turn := range 26 {
		if err := f.start(fmt.Sprint(turn)); err != nil {
			t.Fatal(err)
		}
	}
	slice := func(turn int) object {
		return object{"metadata": object{"name": "own", "labels": object{"kubernetes.io/service-name": "echo", "endpointslice.kubernetes.io/managed-by": "test"}},
			"addressType": "IPv4", "ports": []object{{"name": "grpc", "port": f.port}}, "endpoints": []object{
				{"addresses": []string{fmt.Sprintf("10.77.%d.%d", f.block, 1+turn)}}, {"addresses": []string{fmt.Sprintf("10.77.%d.%d", f.block, 2+turn)}}}}
	}
	k.do(t, http.MethodPost, path, slice(0))
	l := f.follow(t, k.url, readFile(t, filepath.Join(k.folder, "ca.crt")), k.token(t, f.ns, "first"), false)
	calls := startLoad(t, l.entry, 500)
	var took []time.Duration
	for turn := 1; turn <= 21; turn++ {
		comes, changed := fmt.Sprintf("10.77.%d.%d", f.block, 2+turn), time.Now()
		k.do(t, http.MethodPut, path+"/own", slice(turn))
		within(t, 5*time.Second, comes+" is called", func() bool { return f.called(comes, changed) > 0 })
		at, _ := f.firstCall(comes, changed)
		took = append(took, at.Sub(changed))
	}
	calls.wantNoneFailed(t)
	t.Logf("from writing a slice to the first call at the new endpoint: median %v, most %v of %d", median(took), slices.Max(took), len(took))
	if m := median(took); m > 200*time.Millisecond {
		t.Errorf("the median is %v", m)
	}
}

// TestClusterRotatesToken: a token that was revoked in time is never noticed; one that was not is told in the log, and
// endpoints and calls stay.
func TestClusterRotatesToken(t *testing.T) {
	k := openKube(t)
	f := startCrew(t, k, 2)
	k.allow(t, f.ns, "list", "watch")
	f.settled(t, 2)
	r := startRelay(t, strings.TrimPrefix(k.url, "https://"))
	first := k.token(t, f.ns, "first")
	l := f.follow(t, "https://"+r.address, readFile(t, filepath.Join(k.folder, "ca.crt")), first, false)
	calls := startLoad(t, l.entry, 100)
	f.wantAllCalled(t)

	revoke := func(bound, token string) {
		k.do(t, http.MethodDelete, "/api/v1/namespaces/"+f.ns+"/secrets/"+bound, nil)
		within(t, 60*time.Second, "the token is revoked", func() bool { // it is remembered for ten seconds
			return k.as(t, token, http.MethodGet, "/apis/discovery.k8s.io/v1/namespaces/"+f.ns+"/endpointslices", "") == http.StatusUnauthorized
		})
	}
	second := k.token(t, f.ns, "second")
	writeFile(t, l.token, second)
	revoke("first", first)
	r.cut()
	f.scale(t, 3)
	f.wantAllCalled(t)
	if n := l.failures("forbidden"); n > 0 {
		t.Errorf("%d requests with the old token", n)
	}

	revoke("second", second)
	r.cut()
	within(t, 20*time.Second, "the revoked token is told", func() bool {
		return l.failures("forbidden") > 0 && strings.Contains(l.Log(), "it does not take the token")
	})
	before := time.Now()
	within(t, 5*time.Second, "calls go on", func() bool {
		return !slices.ContainsFunc(f.now(), func(p pod) bool { return f.called(p.ip, before) == 0 })
	})
	writeFile(t, l.token, k.token(t, f.ns, "third"))
	f.scale(t, 4)
	within(t, 45*time.Second, "the pod that came meanwhile is known", func() bool {
		n, _ := l.Metric("outrigger_discovery_endpoints", `service="echo"`)
		return n == 4
	})
	f.wantAllCalled(t)
	calls.wantNoneFailed(t)
}

// TestClusterOutlivesItsAPIServer stops (which waits for the watch, and takes half a minute) and kills the API server, the same
// certificate, another one from a root that is known before, and one from a root that is not.
func TestClusterOutlivesItsAPIServer(t *testing.T) {
	k := openKube(t)
	f := startCrew(t, k, 2)
	k.allow(t, f.ns, "list", "watch")
	f.settled(t, 2)
	s := k.another(t, "second")
	sign := func() (text string, pool *x509.CertPool) {
		ca := cert.New(t)
		files := cert.Write(t, t.TempDir(), "api", ca.Issue(t, cert.Leaf{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}), ca)
		writeFile(t, filepath.Join(k.folder, "second.crt"), readFile(t, files.Cert))
		writeFile(t, filepath.Join(k.folder, "second.key"), readFile(t, files.Key))
		return readFile(t, files.Trust), poolOf(t, files.Trust)
	}
	root, trusting := sign()
	s.start(t, trusting)
	l := f.follow(t, s.url(), root, k.token(t, f.ns, "first"), false)
	calls := startLoad(t, l.entry, 100)
	f.wantAllCalled(t)

	replicas := 2
	// away stops the server, rolls everything over, and starts the server again when the proxy has noticed.
	away := func(how syscall.Signal, trusting *x509.CertPool) {
		failed := l.failures("failed")
		s.end(how)
		within(t, 45*time.Second, "the loss is told", func() bool { return l.failures("failed") > failed })
		replicas++
		f.scale(t, replicas)
		s.start(t, trusting)
	}
	seen := func(what string) {
		t.Helper()
		back := time.Now()
		within(t, 60*time.Second, what, func() bool {
			n, _ := l.Metric("outrigger_discovery_endpoints", `service="echo"`)
			return int(n) == replicas
		})
		t.Logf("%s %v after the server was back", what, time.Since(back).Round(time.Millisecond))
		f.wantAllCalled(t)
	}
	away(syscall.SIGTERM, trusting)
	seen("the change is seen")
	away(syscall.SIGKILL, trusting)
	seen("the change is seen after a kill")

	known, trusting := sign()
	writeFile(t, l.ca, root+known)
	away(syscall.SIGKILL, trusting)
	seen("the change is seen under the next root")

	unknown, trusting := sign()
	away(syscall.SIGKILL, trusting)
	within(t, 45*time.Second, "the unknown root is told", func() bool { return strings.Contains(l.Log(), "certificate") })
	writeFile(t, l.ca, unknown)
	seen("the change is seen when the new root is known")
	calls.wantNoneFailed(t)
}

// TestClusterNeedsListAndWatch: these two verbs in the one namespace are enough; without one of them the log says which.
func TestClusterNeedsListAndWatch(t *testing.T) {
	k := openKube(t)
	f := startCrew(t, k, 2)
	k.allow(t, f.ns, "get", "list", "watch")
	f.settled(t, 2)
	token := k.token(t, f.ns, "first")
	ca := readFile(t, filepath.Join(k.folder, "ca.crt"))
	own := "/apis/discovery.k8s.io/v1/namespaces/" + f.ns + "/endpointslices"
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{http.MethodGet, own, "", http.StatusOK},
		{http.MethodPost, own, `{"metadata":{"name":"a"},"addressType":"IPv4","endpoints":[]}`, http.StatusForbidden},
		{http.MethodDelete, own, "", http.StatusForbidden},
		{http.MethodGet, "/apis/discovery.k8s.io/v1/endpointslices", "", http.StatusForbidden},
		{http.MethodGet, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", "", http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/" + f.ns + "/secrets", "", http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/" + f.ns + "/secrets/first", "", http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/" + f.ns + "/pods", "", http.StatusForbidden},
		{http.MethodGet, "/api/v1/namespaces/" + f.ns + "/configmaps", "", http.StatusForbidden},
	} {
		if got := k.as(t, token, c.method, c.path, c.body); got != c.status {
			t.Errorf("%s %s: %d, expected %d", c.method, c.path, got, c.status)
		}
	}
	replicas := 2
	for _, c := range []struct {
		verbs          []string
		missing        string
		starts, follow bool
	}{
		{[]string{"get", "list", "watch"}, "", true, true},
		{[]string{"list", "watch"}, "", true, true},
		{[]string{"get", "watch"}, "list", false, false},
		{[]string{"get", "list"}, "watch", true, false},
		{[]string{"get"}, "list", false, false},
	} {
		t.Run("with "+strings.Join(c.verbs, " "), func(t *testing.T) {
			k.allow(t, f.ns, c.verbs...)
			may := func(query string) bool { return k.as(t, token, http.MethodGet, own+query, "") == http.StatusOK }
			within(t, 20*time.Second, "the role is in force", func() bool {
				return may("") == slices.Contains(c.verbs, "list") && may("?watch=1&timeoutSeconds=1") == slices.Contains(c.verbs, "watch")
			})
			l := f.follow(t, k.url, ca, token, true)
			if c.missing != "" {
				l.Eventually(20*time.Second, "what is missing is told", func() bool {
					return l.failures("forbidden") > 0 && strings.Contains(l.Log(),
						fmt.Sprintf("may not %s endpointslices.discovery.k8s.io in namespace %s", c.missing, f.ns))
				})
			}
			if !c.starts {
				if err := callOnce(dial(t, l.entry), time.Second); err == nil {
					t.Error("a call without endpoints")
				}
				return
			}
			l.WaitReady()
			calls := startLoad(t, l.entry, 50)
			f.wantAllCalled(t)
			replicas++
			f.scale(t, replicas)
			known := func() int { n, _ := l.Metric("outrigger_discovery_endpoints", `service="echo"`); return int(n) }
			if c.follow {
				within(t, 10*time.Second, "the change is seen", func() bool { return known() == replicas })
			} else if n := known(); n != replicas-1 {
				t.Errorf("%d endpoints without a watch", n)
			}
			calls.wantNoneFailed(t)
		})
	}
}
