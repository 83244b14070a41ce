package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// spire is a SPIRE server and its agent on this machine.
type spire struct {
	t           *testing.T
	bin, folder string
}

// run starts a process that ends with the test.
func (s *spire) run(name string, args ...string) {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.folder, name+".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	command := exec.Command(filepath.Join(s.bin, name), args...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if s.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			s.t.Logf("%s:\n%s", name, text)
		}
		log.Close()
	})
}

// server runs a command against the server's own socket until it succeeds.
func (s *spire) server(args ...string) string {
	s.t.Helper()
	args = append(args, "-socketPath", filepath.Join(s.folder, "server.sock"))
	var out []byte
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if out, err = exec.Command(filepath.Join(s.bin, "spire-server"), args...).CombinedOutput(); err == nil {
			return string(out)
		}
	}
	s.t.Fatalf("spire-server %v: %v\n%s", args, err, out)
	return ""
}

func (s *spire) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// startSpire starts both, and registers this user's processes as one workload. Its SVIDs live for a minute.
func startSpire(t *testing.T, id string) (socket string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "spire") // short: it holds sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	s := &spire{t: t, bin: os.Getenv("E2E_SPIRE"), folder: folder}
	port := strings.TrimPrefix(proxy.Address(t), "127.0.0.1:")
	s.run("spire-server", "run", "-config", s.write("server.conf", fmt.Sprintf(`
server {
  bind_address = "127.0.0.1"
  bind_port = "%s"
  socket_path = "%[2]s/server.sock"
  trust_domain = "shop.example"
  data_dir = "%[2]s/server"
  log_level = "WARN"
  ca_ttl = "10m"
  default_x509_svid_ttl = "1m"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "%[2]s/store.sqlite3" } }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
}
`, port, folder)))
	token := strings.TrimSpace(strings.TrimPrefix(s.server("token", "generate", "-spiffeID", "spiffe://shop.example/host"), "Token: "))
	bundle := s.write("bundle.pem", s.server("bundle", "show"))
	s.server("entry", "create", "-parentID", "spiffe://shop.example/host", "-spiffeID", id, "-selector", fmt.Sprintf("unix:uid:%d", os.Getuid()))
	s.run("spire-agent", "run", "-joinToken", token, "-config", s.write("agent.conf", fmt.Sprintf(`
agent {
  data_dir = "%[2]s/agent"
  log_level = "WARN"
  server_address = "127.0.0.1"
  server_port = "%[1]s"
  socket_path = "%[2]s/agent.sock"
  trust_bundle_path = "%[3]s"
  trust_domain = "shop.example"
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "memory" { plugin_data {} }
  WorkloadAttestor "unix" { plugin_data {} }
}
`, port, folder, bundle)))
	return filepath.Join(folder, "agent.sock")
}

// TestSpire has two sidecars take their identity from a real SPIRE agent, and calls between them while SVIDs that live for a
// minute are renewed.
func TestSpire(t *testing.T) {
	if os.Getenv("E2E_SPIRE") == "" {
		t.Skip("E2E_SPIRE names no folder with spire-server and spire-agent")
	}
	const id = "spiffe://shop.example/ns/shop/sa/both"
	socket := startSpire(t, id)
	identity := fmt.Sprintf("identity: { spiffe_socket: \"unix://%s\" }\n", socket)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	between, entry := proxy.Address(t), proxy.Address(t)
	in := proxy.StartWith(t, identity+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\", allow: [ { identity: \"%s\" } ] }\n",
		between, endpoint.Address, id), proxy.Options{NoWait: true})
	out := proxy.StartWith(t, identity+outboundYAML(entry, []string{between}, fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", id), ""),
		proxy.Options{NoWait: true})
	for _, p := range []*proxy.Proxy{in, out} {
		p.Eventually(2*time.Minute, "ready with an SVID of SPIRE", func() bool { code, _ := p.Get("/ready"); return code == 200 })
	}
	client, stream := wire.Dial(t, entry, nil), uint32(1)
	call := func() {
		t.Helper()
		wantStatus(t, client.Call(stream, []byte("x"), wire.Request(echoPath)...), "0")
		stream += 2
	}
	call()
	for _, p := range []*proxy.Proxy{in, out} {
		p.Eventually(3*time.Minute, "two renewed SVIDs", func() bool {
			call()
			n, _ := p.Metric("outrigger_identity_rotations_total", `part="pair"`)
			return n >= 2
		})
	}
	if n, _ := in.Metric("outrigger_identity_rotation_failures_total"); n != 0 {
		t.Errorf("%v SVIDs of SPIRE were refused", n)
	}
}
