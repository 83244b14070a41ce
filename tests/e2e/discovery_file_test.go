package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/proxy"
)

// listed is a proxy whose endpoints are in a file.
type listed struct {
	*proxy.Proxy
	endpoints   *everywhere
	path, entry string
}

func startListed(t *testing.T, more string, entries ...string) *listed {
	t.Helper()
	l := &listed{endpoints: startEverywhere(t), path: filepath.Join(t.TempDir(), "endpoints.yaml"), entry: proxy.Address(t)}
	l.write(t, l.text(entries...))
	l.Proxy = proxy.Start(t, fmt.Sprintf("node: { zone: here }\noutbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n  echo: { endpoints: { file: %q }, tls: off%s }\n",
		l.entry, l.path, more))
	return l
}

// text makes the file of entries such as "127.0.0.1" or "127.0.0.1, weight: 3".
func (l *listed) text(entries ...string) string {
	text := "endpoints:\n"
	for _, entry := range entries {
		ip, more, _ := strings.Cut(entry, ",")
		if more != "" {
			more = "," + more
		}
		text += fmt.Sprintf("  - { address: \"%s:%d\"%s }\n", ip, l.endpoints.port, more)
	}
	return text
}

// write replaces the file whole.
func (l *listed) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(l.path+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(l.path+".next", l.path); err != nil {
		t.Fatal(err)
	}
}

func (l *listed) wantCalled(t *testing.T, since time.Time, ip string) {
	t.Helper()
	eventually(t, ip+" is called", func() bool { return l.endpoints.called(ip, since) > 0 })
}

// TestFileFollowsChanges rolls all endpoints over by new files, under load: no call fails, what went is closed.
func TestFileFollowsChanges(t *testing.T) {
	t.Parallel()
	l := startListed(t, "", "127.0.8.1", "127.0.8.2")
	calls := startLoad(t, l.entry, 300)
	l.wantCalled(t, time.Time{}, "127.0.8.1")
	for turn := range 4 {
		goes, comes := fmt.Sprintf("127.0.8.%d", turn+1), fmt.Sprintf("127.0.8.%d", turn+3)
		changed := time.Now()
		l.write(t, l.text(fmt.Sprintf("127.0.8.%d", turn+2), comes))
		l.wantCalled(t, changed, comes)
		if at, _ := l.endpoints.firstCall(comes, changed); at.Sub(changed) > time.Second {
			t.Errorf("the change was seen after %v", at.Sub(changed))
		}
		eventually(t, "the connection to "+goes+" is closed", func() bool { return l.endpoints.open(goes) == 0 })
	}
	calls.wantNoneFailed(t)
}

// TestFileKeepsLastGood writes wrong files: what was good holds and the mistake is told, until a good one comes.
func TestFileKeepsLastGood(t *testing.T) {
	t.Parallel()
	l := startListed(t, "", "127.0.9.1")
	calls := startLoad(t, l.entry, 100)
	l.wantCalled(t, time.Time{}, "127.0.9.1")
	good := l.text("127.0.9.1", "127.0.9.2")
	for i, wrong := range []string{"", good[:len(good)-9], "endpoints: 5\n", l.text("127.0.9.2", "127.0.9.2"), l.text("127.0.9.2, wieght: 3"), "endpoints: [ { address: payment:80 } ]\n"} {
		l.write(t, wrong)
		eventually(t, fmt.Sprintf("mistake %d is told", i), func() bool {
			n, ok := l.Metric("outrigger_discovery_failures_total", `service="echo"`, `reason="malformed"`)
			return ok && int(n) == i+1
		})
	}
	if n, _ := l.Metric("outrigger_discovery_endpoints", `service="echo"`); n != 1 {
		t.Errorf("%v endpoints are left", n)
	}
	if !strings.Contains(l.Log(), l.path+":") || !strings.Contains(l.Log(), "did you mean") {
		t.Errorf("the place of the mistake is not told:\n%s", l.Log())
	}
	l.write(t, l.text("127.0.9.3"))
	l.wantCalled(t, time.Time{}, "127.0.9.3")
	calls.wantNoneFailed(t)
	if l.endpoints.called("127.0.9.2", time.Time{}) > 0 {
		t.Error("a wrong file was half applied")
	}
}

// TestFileRanks gives weights, priorities and zones: calls go by weight among the first, and to the next when the first are
// gone.
func TestFileRanks(t *testing.T) {
	t.Parallel()
	l := startListed(t, "", "127.0.10.1, weight: 1, zone: here", "127.0.10.2, weight: 3, zone: here", "127.0.10.3, zone: there", "127.0.10.4, priority: 1")
	client := dial(t, l.entry)
	for range 400 {
		if err := callOnce(client, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	light, heavy := l.endpoints.called("127.0.10.1", time.Time{}), l.endpoints.called("127.0.10.2", time.Time{})
	if light+heavy < 390 || light < 50 || light > 160 {
		t.Errorf("%d and %d calls by weights of 1 and 3", light, heavy)
	}
	for _, c := range []struct {
		entries []string
		next    string
	}{
		{[]string{"127.0.10.3, zone: there", "127.0.10.4, priority: 1"}, "127.0.10.3"},
		{[]string{"127.0.10.4, priority: 1"}, "127.0.10.4"},
	} {
		l.write(t, l.text(c.entries...))
		changed := time.Now()
		eventually(t, c.next+" is called", func() bool {
			if err := callOnce(client, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			return l.endpoints.called(c.next, changed) > 0
		})
	}
}
