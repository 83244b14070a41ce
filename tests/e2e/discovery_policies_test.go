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

// TestPolicyDir takes policies from a folder that changes as a mounted ConfigMap does: what is good is taken whole, a name
// that is there twice is refused with both places.
func TestPolicyDir(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "policies")
	swap := func(version string, files map[string]string) {
		data := filepath.Join(folder, ".."+version)
		if err := os.MkdirAll(data, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range files {
			os.WriteFile(filepath.Join(data, name), []byte(text), 0o600)
			os.Symlink(filepath.Join("..data", name), filepath.Join(folder, name))
		}
		os.Symlink(".."+version, filepath.Join(folder, "..next"))
		os.Rename(filepath.Join(folder, "..next"), filepath.Join(folder, "..data"))
	}
	policy := func(name, timeout string) string {
		return fmt.Sprintf("policies:\n  %s: { timeout: %s }\n", name, timeout)
	}
	swap("1", map[string]string{"a.yaml": policy("guard", "7s"), "notes.txt": "no policy"})
	endpoints := startEverywhere(t)
	entry := proxy.Address(t)
	p := proxy.Start(t, fmt.Sprintf("policy_dir: %q\ninbound:\n  - { listen: %q, tls: off, forward: \"127.0.0.1:%d\", policy: guard }\n", folder, entry, endpoints.port))
	calls := startLoad(t, entry, 100)
	taken := func(n float64) func() bool {
		return func() bool {
			got, _ := p.Metric("outrigger_config_reloads_total", `result="taken"`)
			return got == n
		}
	}
	swap("2", map[string]string{"a.yaml": policy("guard", "8s"), "b.yaml": policy("other", "9s")})
	p.Eventually(5*time.Second, "the change is taken", taken(1))
	swap("3", map[string]string{"a.yaml": policy("guard", "8s"), "b.yaml": policy("guard", "9s")})
	p.Eventually(5*time.Second, "the conflict is told", func() bool {
		return strings.Contains(p.Log(), "b.yaml:2:3: policies.guard: stands at") && strings.Contains(p.Log(), "a.yaml:2:3 too")
	})
	swap("4", map[string]string{"a.yaml": policy("guard", "8s"), "b.yaml": policy("other", "9s"), "c.yaml": policy("third", "1s")})
	p.Eventually(5*time.Second, "the mended folder is taken", taken(2))
	if _, page := p.Get("/config"); !strings.Contains(page, fmt.Sprintf(`"policy_dir": %q`, folder)) {
		t.Errorf("/config does not tell the folder:\n%s", page)
	}
	calls.wantNoneFailed(t)
}
