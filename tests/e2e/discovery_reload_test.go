package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/proxy"
)

// spoil cuts a text short, or spoils a few bytes of it.
func spoil(r *rand.Rand, text []byte) []byte {
	if r.IntN(2) == 0 {
		return text[:r.IntN(len(text))]
	}
	out := bytes.Clone(text)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(out))
		switch r.IntN(3) {
		case 0:
			out[at] = byte(r.IntN(256))
		case 1:
			out = append(out[:at], out[at+1:]...)
		case 2:
			out = append(out[:at], append([]byte{"{}[]:,&*!|>'\"%@`\x00\t"[r.IntN(18)]}, out[at:]...)...)
		}
	}
	return out
}

// TestReloadRefusesMutations writes broken files at 20 a second under load, in place and by rename, and a good one now and
// then: no call fails, no broken file is taken, and each good one is.
func TestReloadRefusesMutations(t *testing.T) {
	t.Parallel()
	mutants, rate := 80, 200
	if full() {
		mutants, rate = 10000, 1000
	}
	r := rand.New(rand.NewPCG(newSeed(t), 0))
	endpoints := startEverywhere(t)
	entry := proxy.Address(t)
	good := func(turn int) string {
		return fmt.Sprintf("version: 1\ndrain: { window: off }\noutbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n  echo: { endpoints: { static: [ \"127.0.12.%d:%d\" ] }, tls: off, policy: p }\npolicies:\n  p: { timeout: %ds, limits: { max_requests: 1000 } }\n",
			entry, 1+turn%2, endpoints.port, 10+turn)
	}
	p := proxy.Start(t, good(0))
	admin := fmt.Sprintf("admin: { listen: %q }\n", p.Admin)
	calls := startLoad(t, entry, rate)
	scratch := filepath.Join(t.TempDir(), "mutant.yaml")
	taken, turn := 0.0, 0
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; i < mutants; {
		text := spoil(r, []byte(good(turn)+admin))
		os.WriteFile(scratch, text, 0o600)
		if exec.Command(proxy.Binary(t), "check", "-c", scratch).Run() == nil {
			continue // it means something
		}
		i++
		<-tick.C
		if i%2 == 0 {
			os.WriteFile(p.Config, text, 0o600)
		} else {
			os.Rename(scratch, p.Config)
		}
		if i%20 > 0 {
			continue
		}
		turn++
		since := time.Now()
		p.Write(good(turn))
		taken++
		p.Eventually(10*time.Second, "a good file is taken", func() bool {
			n, ok := p.Metric("outrigger_config_reloads_total", `result="taken"`)
			return ok && n >= taken
		})
		ip := fmt.Sprintf("127.0.12.%d", 1+turn%2)
		eventually(t, ip+" is called", func() bool { return endpoints.called(ip, since) > 0 })
	}
	if n, _ := p.Metric("outrigger_config_reloads_total", `result="taken"`); n != taken {
		t.Errorf("%v files were taken, %v were good", n, taken)
	}
	refused, _ := p.Metric("outrigger_config_reloads_total", `result="refused"`)
	t.Logf("%d broken files, read %v times", mutants, refused)
	if refused < float64(mutants)/10 {
		t.Errorf("only %v were read", refused)
	}
	if n, _ := p.Metric("outrigger_config_generation"); n != taken+1 {
		t.Errorf("generation %v", n)
	}
	calls.wantNoneFailed(t)
}
