package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestReload adds a listener, removes another and keeps a third with its connections; a bad file changes nothing.
func TestReload(t *testing.T) {
	for _, signal := range []bool{true, false} {
		t.Run(map[bool]string{true: "SIGHUP", false: "changed file"}[signal], func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
			kept, removed, added := proxy.Address(t), proxy.Address(t), proxy.Address(t)
			yaml := func(listeners ...string) string {
				out := "inbound:\n"
				for _, listen := range listeners {
					out += fmt.Sprintf("  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address)
				}
				return out
			}
			p := proxy.Start(t, yaml(kept, removed))
			change := func(text string) {
				p.Write(text)
				if signal {
					p.Signal(syscall.SIGHUP)
				}
			}
			client, old := wire.Dial(t, kept, nil), wire.Dial(t, removed, nil)
			wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
			wantStatus(t, old.Call(1, nil, wire.Request(echoPath)...), "0")
			change(yaml(kept, added))
			p.Eventually(wire.Patience, "the new listener serves", func() bool { return connects(added) })
			p.Eventually(wire.Patience, "the old listener is closed", func() bool { return !connects(removed) })
			wantServes(t, added)
			wantStatus(t, client.Call(3, nil, wire.Request(echoPath)...), "0")
			if n := client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }); n != 0 {
				t.Error("the untouched listener said goodbye to its connections")
			}

			_, before := p.Get("/config")
			change(strings.Replace(yaml(kept, removed), "inbound:", "no_such_key: 1\ninbound:", 1))
			p.Eventually(wire.Patience, "/config shows the refused file", func() bool {
				_, body := p.Get("/config")
				return strings.Contains(body, "no_such_key")
			})
			if _, body := p.Get("/config"); !strings.Contains(body, added) {
				t.Errorf("/config does not show what is in force: %s (before: %s)", body, before)
			}
			wantStatus(t, client.Call(5, nil, wire.Request(echoPath)...), "0")
			if connects(removed) || !connects(added) {
				t.Error("a bad file changed the listeners")
			}
			if !strings.Contains(p.Log(), "no_such_key") {
				t.Errorf("the refusal is not in the log:\n%s", p.Log())
			}

			change(yaml(kept))
			p.Eventually(wire.Patience, "a good file after a bad one is taken", func() bool { return !connects(added) })
			wantStatus(t, client.Call(7, nil, wire.Request(echoPath)...), "0")
		})
	}
}

// TestReloadChangesPolicy changes a value under a running connection: a call begun before keeps the old one.
func TestReloadChangesPolicy(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	p, address := inbound(t, endpoint.Address, "timeout: 3s")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	first := up.NextRequest(0)
	old, err := os.ReadFile(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	p.Write(strings.Replace(string(old), "timeout: 3s", "timeout: 100ms", 1))
	p.Signal(syscall.SIGHUP)
	stream := uint32(3)
	p.Eventually(wire.Patience, "a new call meets the new timeout", func() bool {
		start := time.Now()
		client.Headers(stream, true, wire.Request(echoPath)...)
		_, ended := client.Find(300*time.Millisecond, func(f wire.Frame) bool { return f.Stream == stream && f.End() })
		stream += 2
		return ended && time.Since(start) < 250*time.Millisecond
	})
	up.Respond(first.Stream, nil)
	wantStatus(t, client.Answer(1), "0")
}

// TestEndpointsChangeOnReload moves a service to another endpoint; calls in flight end where they are.
func TestEndpointsChangeOnReload(t *testing.T) {
	before := wire.Local(t, wire.Behaviour{})
	after := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := outbound(t, []string{before.Address}, "", "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := before.Accept()
	first := up.NextRequest(0)
	p.Write(outboundYAML(address, []string{after.Address}, "", ""))
	p.Signal(syscall.SIGHUP)
	stream := uint32(3)
	p.Eventually(wire.Patience, "new calls go to the new endpoint", func() bool {
		client.Headers(stream, true, wire.Request(echoPath)...)
		_, ended := client.Find(50*time.Millisecond, func(f wire.Frame) bool { return f.Stream == stream && f.End() })
		stream += 2
		return ended
	})
	up.Respond(first.Stream, nil)
	wantStatus(t, client.Answer(1), "0")
}

// TestWorkerDies kills the worker: the supervisor starts another, on the same sockets.
func TestWorkerDies(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	wantServes(t, address)
	for range 2 {
		workers := p.Workers()
		if len(workers) != 1 {
			t.Fatalf("the supervisor has %d children", len(workers))
		}
		if err := syscall.Kill(workers[0], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.Eventually(wire.Patience, "another worker is there", func() bool {
			now := p.Workers()
			return len(now) == 1 && now[0] != workers[0]
		})
		p.WaitReady()
		wantServes(t, address)
	}
	p.Signal(syscall.SIGTERM)
	if code := p.WaitExit(8 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestWorkerCrashes has a worker crash again and again: the next one serves (within 200 ms, judged with E2E_FULL=1), and only streams of the dead one
// fail; after five in a minute the supervisor waits.
func TestWorkerCrashes(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	crash := func() int {
		workers := p.Workers()
		if len(workers) != 1 {
			t.Fatalf("the supervisor has %d children", len(workers))
		}
		if err := syscall.Kill(workers[0], syscall.SIGSEGV); err != nil {
			t.Fatal(err)
		}
		return workers[0]
	}
	replaced := func(dead int) func() bool {
		return func() bool { now := p.Workers(); return len(now) == 1 && now[0] != dead }
	}
	var took []time.Duration
	for range 5 {
		client := wire.Dial(t, address, nil)
		wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
		start := time.Now()
		dead := crash()
		wantServes(t, address) // the connection waits in the listening socket until somebody accepts it
		took = append(took, time.Since(start))
		if _, closed := client.WaitClosed(wire.Patience); !closed {
			t.Error("a connection outlives its worker")
		}
		if !replaced(dead)() {
			t.Error("the dead worker is still there")
		}
	}
	slices.Sort(took)
	t.Logf("the next worker served after %v", took)
	if full() && took[2] > 200*time.Millisecond {
		t.Error("more than 200 ms")
	}
	start := time.Now()
	p.Eventually(wire.Patience, "the sixth worker dies and is replaced", replaced(crash()))
	if took := time.Since(start); took < 400*time.Millisecond {
		t.Errorf("the sixth death in a minute cost no wait: %v", took)
	}
	wantServes(t, address)
}

// TestSupervisorDies kills the supervisor: the worker must not stay behind.
func TestSupervisorDies(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	wantServes(t, address)
	workers := p.Workers()
	p.Signal(syscall.SIGKILL)
	p.WaitExit(wire.Patience)
	for _, pid := range workers {
		eventually(t, fmt.Sprintf("worker %d is gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

func TestSingle(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address),
		proxy.Options{Args: []string{"--single"}})
	wantServes(t, listen)
	if n := len(p.Workers()); n != 0 {
		t.Errorf("--single has %d children", n)
	}
}

// TestPassedSockets gives a bound socket by the LISTEN_FDS convention: the proxy must serve on it, not bind again. It comes
// in blocking mode, as systemd passes it: an accept that found nobody would hold up everything, to the end.
func TestPassedSockets(t *testing.T) {
	for _, args := range [][]string{nil, {"--single"}} {
		t.Run(strings.Join(append([]string{"run"}, args...), " "), func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			listen := listener.Addr().String()
			p := startWithSocket(t, blocking(t, listener.(*net.TCPListener)), args,
				fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address))
			wantServes(t, listen)
			if status, body := p.Get("/live"); status != 200 {
				t.Errorf("/live answers %d after the first connection: %s", status, body)
			}
			p.Signal(syscall.SIGTERM)
			if code := p.WaitExit(wire.Patience); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// blocking is a listener's socket in blocking mode.
func blocking(t *testing.T, listener interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	file, err := listener.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := syscall.SetNonblock(int(file.Fd()), false); err != nil {
		t.Fatal(err)
	}
	return file
}

// startWithSocket passes one listening socket.
func startWithSocket(t *testing.T, file *os.File, args []string, yaml string) *proxy.Proxy {
	t.Helper()
	return proxy.StartWith(t, yaml, proxy.Options{
		Args: args, Env: []string{"LISTEN_FDS=1"}, Files: []*os.File{file},
		Wrapper: []string{"/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""},
	})
}

// TestWorkers runs as many workers as there are cores, over many connections.
func TestWorkers(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	listen := proxy.Address(t)
	proxy.Start(t, "workers: 2\n"+fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address))
	var clients []*wire.Conn
	for range 10 {
		clients = append(clients, wire.Dial(t, listen, nil))
	}
	for round := range 20 {
		for _, client := range clients {
			client.Headers(uint32(2*round+1), true, wire.Request(echoPath)...)
		}
	}
	for round := range 20 {
		for _, client := range clients {
			wantStatus(t, client.Answer(uint32(2*round+1)), "0")
		}
	}
	if n := endpoint.Accepted(); n > 4 {
		t.Errorf("%d connections to one endpoint, at most 4 are allowed for the process", n)
	}
}

// TestCertificateRotation replaces the key pair on disk: new handshakes show the new one, old connections live.
func TestCertificateRotation(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	files := cert.Write(t, dir, "payment", ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), DNS: []string{"old.shop", "localhost"}}), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: server, forward: \"%s\" }\n", listen, endpoint.Address))
	client := wire.Dial(t, listen, ca.ClientTLS(t, nil, "old.shop"))
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	cert.Write(t, dir, "payment", ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), DNS: []string{"new.shop", "localhost"}}), ca)
	p.Signal(syscall.SIGHUP)
	p.Eventually(wire.Patience, "a handshake shows the new certificate", func() bool {
		return tryTLS(listen, ca.ClientTLS(t, nil, "new.shop")) == nil
	})
	wantStatus(t, client.Call(3, nil, wire.Request(echoPath)...), "0")
}

// TestCommandLine has what must be refused: one line, exit code 2.
// describe writes descriptors of the echo service; moved into place, as volumes of Kubernetes do.
func describe(t *testing.T, file string, streams bool) {
	t.Helper()
	bytes, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name:    proto.String("echo.proto"),
		Package: proto.String("test"),
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name:   proto.String("Echo"),
			Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("Unary"), ServerStreaming: proto.Bool(streams)}},
		}},
	}}})
	if err == nil {
		err = os.WriteFile(file+".new", bytes, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDescriptorsAreWatched: a timeout of the whole policy ends what is unary, and leaves alone what the descriptors then say streams.
func TestDescriptorsAreWatched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "echo.binpb")
	describe(t, file, false)
	endpoint := wire.Local(t, wire.Behaviour{})
	p, address := inbound(t, endpoint.Address, fmt.Sprintf("timeout: 100ms, descriptors: \"%s\"", file))
	client := wire.Dial(t, address, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "4")
	describe(t, file, true)
	stream := uint32(3)
	p.Eventually(wire.Patience, "a stream is not ended by the timeout", func() bool {
		client.Headers(stream, true, wire.Request(echoPath)...)
		_, ended := client.Find(300*time.Millisecond, func(f wire.Frame) bool { return f.Stream == stream && f.End() })
		stream += 2
		return !ended
	})
	if err := os.WriteFile(file, []byte("no descriptors"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Eventually(wire.Patience, "the refusal is in the log", func() bool { return strings.Contains(p.Log(), "is no FileDescriptorSet") })
	client.Headers(stream, true, wire.Request(echoPath)...)
	if _, ended := client.Find(300*time.Millisecond, func(f wire.Frame) bool { return f.Stream == stream && f.End() }); ended {
		t.Error("a bad file changed what is known of the method")
	}
}

func TestCommandLine(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.yaml")
	if err := os.WriteFile(good, []byte("version: 1\ninbound: [ { listen: \"127.0.0.1:1\", tls: off, forward: \"127.0.0.1:2\" } ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{
		{}, {"no-such-command"}, {"--no-such-option"}, {"run"}, {"run", "-c"}, {"run", "-c", good, "--no-such-option"}, {"run", "-c", good, "more"},
		{"check", "--no-such-option"}, {"check"}, {"explain", "-c", good}, {"explain", "-c", good, "--method", "a.B/C", "--timeout", "nonsense"},
		{"version", "--no-such-option"},
	} {
		code, stdout, stderr := runBinary(t, argv...)
		if code != 2 || stdout != "" || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: expected exit 2 and one line on stderr, got %d, %q, %q", argv, code, stdout, stderr)
		}
	}
	for _, argv := range [][]string{{"--help"}, {"run", "--help"}, {"check", "--help"}, {"explain", "--help"}, {"version", "--help"}, {"version"}, {"check", "-c", good}} {
		code, stdout, stderr := runBinary(t, argv...)
		if code != 0 || stderr != "" || (argv[0] != "check" && stdout == "") {
			t.Errorf("%q: expected exit 0, got %d, %q, %q", argv, code, stdout, stderr)
		}
	}
}

// TestBadFileAtStart does not start, and says where the fault is.
func TestBadFileAtStart(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("version: 1\ninbound:\n  - { listen: \"127.0.0.1:1\", tls: off, forwards: \"127.0.0.1:2\" }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"run", "check"} {
		code, stdout, stderr := runBinary(t, command, "-c", bad)
		if code != 1 || !strings.Contains(stdout+stderr, bad+":3:") || !strings.Contains(stdout+stderr, "forwards") {
			t.Errorf("%s: expected exit 1 and the place, got %d, %q, %q", command, code, stdout, stderr)
		}
	}
	if code, stdout, stderr := runBinary(t, "run", "-c", bad+".missing"); code == 0 || !strings.Contains(stdout+stderr, "missing") {
		t.Errorf("missing file: got %d, %q, %q", code, stdout, stderr)
	}
}

// TestListenAddressInUse does not start either.
func TestListenAddressInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file := filepath.Join(t.TempDir(), "taken.yaml")
	yaml := fmt.Sprintf("version: 1\ninbound: [ { listen: \"%s\", tls: off, forward: \"127.0.0.1:2\" } ]\n", listener.Addr())
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runBinary(t, "run", "-c", file)
	if code == 0 || !strings.Contains(stdout+stderr, listener.Addr().String()) {
		t.Errorf("expected a refusal that names the address, got %d, %q, %q", code, stdout, stderr)
	}
}

func runBinary(t *testing.T, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err strings.Builder
	cmd := exec.Command(proxy.Binary(t), argv...)
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Start(); e != nil {
		t.Fatal(e)
	}
	timer := time.AfterFunc(wire.Patience, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func connects(address string) bool {
	nc, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	nc.Close()
	return true
}
