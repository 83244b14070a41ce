package e2e

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// socketFolder is a folder with a short name: a socket path has 107 bytes.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "u")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func unixYAML(forward string, paths ...string) string {
	out := "inbound:\n"
	for _, path := range paths {
		out += fmt.Sprintf("  - { listen: \"unix:%s\", tls: off, forward: \"%s\" }\n", path, forward)
	}
	return out
}

// TestDrainWaitsForASlowReader has answers that end at the endpoint while the callers' sockets, which hold a fixed amount,
// are full. Some of the sizes end in what the proxy holds: all of it and the trailers must come before the end.
func TestDrainWaitsForASlowReader(t *testing.T) {
	const clients, least, step = 24, 200_000, 12_000
	path := socketFolder(t) + "/in"
	endpoint := wire.Local(t, wire.Behaviour{})
	p := proxy.Start(t, unixYAML(endpoint.Address, path))
	var paused []*wire.Conn
	var sent []int
	var up *wire.Conn
	last := uint32(0)
	for i := range clients {
		client := wire.DialAs(t, "unix:"+path, nil, wire.Behaviour{NoAck: true, Settings: []http2.Setting{initialWindow(1 << 20)}})
		client.Window(0, 1<<20)
		client.Headers(1, true, wire.Request(echoPath)...)
		if up == nil {
			up = endpoint.Accept()
		}
		last = up.NextRequest(last).Stream
		client.Pause()
		up.Headers(last, false, wire.OK()...)
		body := bytes.Repeat([]byte("z"), least+i*step)
		sent = append(sent, up.Send(last, false, body, 100*time.Millisecond))
		up.Headers(last, true, field("grpc-status", "0"))
		paused = append(paused, client)
	}
	if sent[clients-1] == least+(clients-1)*step {
		t.Fatal("no socket is full")
	}
	up.PingWait()
	idle := wire.DialAs(t, "unix:"+path, nil, wire.Behaviour{NoAck: true})
	p.Signal(syscall.SIGTERM)
	if _, closed := idle.WaitClosed(wire.Patience); !closed { // its final GOAWAY was due when the others' were
		t.Error("an idle connection stays open")
	}
	for i, client := range paused {
		client.Resume()
		answer := client.Answer(1)
		if answer.Status() != "0" || len(answer.Data) != sent[i] {
			t.Errorf("%d of %d bytes came, status %q", len(answer.Data), sent[i], answer.Status())
		}
		if _, closed := client.WaitClosed(wire.Patience); !closed {
			t.Error("the connection stays open")
		}
	}
	if code := p.WaitExit(wire.Patience); code != 0 {
		t.Errorf("exit code %d after a clean drain", code)
	}
}

// TestSocketFilesAreRemoved takes socket files away with their listeners: at a reload and at the end, whoever opened them.
func TestSocketFilesAreRemoved(t *testing.T) {
	for _, args := range [][]string{nil, {"--single"}} {
		t.Run(strings.Join(append([]string{"run"}, args...), " "), func(t *testing.T) {
			dir := socketFolder(t)
			kept, removed, added := dir+"/kept", dir+"/removed", dir+"/added"
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
			p := proxy.StartWith(t, unixYAML(endpoint.Address, kept, removed), proxy.Options{Args: args})
			wantServes(t, "unix:"+kept)
			wantServes(t, "unix:"+removed)
			p.Write(unixYAML(endpoint.Address, kept, added))
			p.Signal(syscall.SIGHUP)
			p.Eventually(wire.Patience, "the new socket file is there", func() bool { return exists(added) })
			p.Eventually(wire.Patience, "the old socket file is gone", func() bool { return !exists(removed) })
			wantServes(t, "unix:"+kept)
			wantServes(t, "unix:"+added)
			p.Write(unixYAML(endpoint.Address, kept, added, removed))
			p.Signal(syscall.SIGHUP)
			p.Eventually(wire.Patience, "the path is bound again", func() bool { return exists(removed) })
			wantServes(t, "unix:"+removed)
			p.Signal(syscall.SIGTERM)
			if code := p.WaitExit(wire.Patience); code != 0 {
				t.Errorf("exit code %d", code)
			}
			for _, path := range []string{kept, removed, added} {
				if exists(path) {
					t.Errorf("%s is left", path)
				}
			}
		})
	}
}

// TestSocketFileOutlivesAWorker kills the worker: the supervisor's socket keeps its file, and the next worker serves on it.
func TestSocketFileOutlivesAWorker(t *testing.T) {
	path := socketFolder(t) + "/in"
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p := proxy.Start(t, unixYAML(endpoint.Address, path))
	workers := p.Workers()
	if err := syscall.Kill(workers[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.Eventually(wire.Patience, "another worker is there", func() bool {
		now := p.Workers()
		return len(now) == 1 && now[0] != workers[0]
	})
	p.WaitReady()
	wantServes(t, "unix:"+path)
}

// TestPassedSocketFileStays leaves the file of an inherited socket to who made it.
func TestPassedSocketFileStays(t *testing.T) {
	for _, args := range [][]string{nil, {"--single"}} {
		t.Run(strings.Join(append([]string{"run"}, args...), " "), func(t *testing.T) {
			dir := socketFolder(t)
			passed, other := dir+"/passed", dir+"/other"
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
			listener, err := net.Listen("unix", passed)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			p := startWithSocket(t, blocking(t, listener.(*net.UnixListener)), args, unixYAML(endpoint.Address, passed, other))
			wantServes(t, "unix:"+passed)
			p.Signal(syscall.SIGTERM)
			if code := p.WaitExit(wire.Patience); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if !exists(passed) || exists(other) {
				t.Errorf("the passed file is there: %v, the other: %v", exists(passed), exists(other))
			}
		})
	}
}
