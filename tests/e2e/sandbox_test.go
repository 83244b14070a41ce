package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestSandbox looks at the worker from outside: it has given up what it does not need, and the supervisor has not.
func TestSandbox(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address),
		proxy.Options{Args: []string{"--sandbox=on"}})
	wantServes(t, listen)
	workers := p.Workers()
	if len(workers) != 1 {
		t.Fatalf("the supervisor has %d children", len(workers))
	}
	for _, want := range []string{"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} {
		if status := statusOf(t, workers[0]); !strings.Contains(status, want) {
			t.Errorf("the worker has not %q:\n%s", want, status)
		}
	}
	if status := statusOf(t, p.Pid); !strings.Contains(status, "Seccomp:\t0") {
		t.Errorf("the supervisor is closed in too:\n%s", status)
	}
	if !strings.Contains(p.Log(), `"event":"sandbox","files":"Landlock`) {
		t.Errorf("the log does not say what is on:\n%s", p.Log())
	}
}

func statusOf(t *testing.T, pid int) string {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	return string(status)
}

// TestSandboxOff leaves everything as it is.
func TestSandboxOff(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address),
		proxy.Options{Args: []string{"--sandbox", "off"}})
	if status := statusOf(t, p.Workers()[0]); !strings.Contains(status, "Seccomp:\t0") || !strings.Contains(status, "NoNewPrivs:\t0") {
		t.Errorf("the worker is closed in:\n%s", status)
	}
}

// TestReloadOutsideIsRefused names certificates in a folder that was not known at start: the reason is told, what is in force
// stays. The same files within the folder of the configuration are taken.
func TestReloadOutsideIsRefused(t *testing.T) {
	ca, outside := cert.New(t), t.TempDir()
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	within := filepath.Dir(p.Config)
	leaf := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), DNS: []string{"new.shop", "localhost"}})
	yaml := func(dir string) string {
		files := cert.Write(t, dir, "payment", leaf, ca)
		return identity(files) + fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: server, forward: \"%s\" }\n", address, endpoint.Address)
	}
	p.Write(yaml(outside))
	p.Signal(syscall.SIGHUP)
	p.Eventually(wire.Patience, "/config tells why", func() bool {
		_, body := p.Get("/config")
		return strings.Contains(body, "outside of the folders known at start")
	})
	wantServes(t, address)
	p.Write(yaml(within))
	p.Signal(syscall.SIGHUP)
	p.Eventually(wire.Patience, "a handshake shows the certificate", func() bool {
		return tryTLS(address, ca.ClientTLS(t, nil, "new.shop")) == nil
	})
}

// TestNobodyOnReadOnlyRoot runs as a user without rights on a file system that nobody can write to.
func TestNobodyOnReadOnlyRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become nobody")
	}
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	binary := filepath.Join(t.TempDir(), "outrigger")
	bytes, err := os.ReadFile(proxy.Binary(t))
	if err == nil {
		err = os.WriteFile(binary, bytes, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	listen := proxy.Address(t)
	script := `chmod 755 "$(dirname "$3")" "$(dirname "$(dirname "$3")")" "$(dirname "$(dirname "` + binary + `")")" && chmod 644 "$3" &&
mount -o remount,bind,ro / && exec setpriv --reuid=65532 --regid=65532 --clear-groups --inh-caps=-all --bounding-set=-all -- "` + binary + `" "$@"`
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address),
		proxy.Options{Args: []string{"--sandbox=on"}, Wrapper: []string{"unshare", "--mount", "/bin/sh", "-c", script}})
	wantServes(t, listen)
	if status := statusOf(t, p.Workers()[0]); !strings.Contains(status, "Uid:\t65532") {
		t.Errorf("not nobody:\n%s", status)
	}
}
