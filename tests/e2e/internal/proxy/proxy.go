// Package proxy runs the binary under test: writes its YAML, starts it, waits until it is ready, stops it by its pid and
// shows its log when the test failed. It knows the command line and the admin endpoint, nothing of HTTP/2.
package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Options change how the binary is started.
type Options struct {
	Args    []string   // after `run -c FILE`
	Env     []string   // added to the environment
	Files   []*os.File // from descriptor 3 on
	Wrapper []string   // the command that execs the binary, such as a shell that lowers a limit first
	NoWait  bool       // do not wait for /ready
}

// Proxy is a running binary.
type Proxy struct {
	Config string // path of its YAML
	Admin  string // host:port of its admin listener, empty if the YAML has none
	Pid    int

	t      testing.TB
	cmd    *exec.Cmd
	log    *lockedBuffer
	exited chan struct{}
	err    error
}

// Binary is the file under test, from the environment variable OUTRIGGER.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv("OUTRIGGER")
	if path == "" {
		t.Fatal("OUTRIGGER must name the binary under test")
	}
	return path
}

// Start writes the YAML into a folder of the test, adds an admin listener on a free port unless there is one, and runs it.
func Start(t testing.TB, yaml string) *Proxy {
	t.Helper()
	return StartWith(t, yaml, Options{})
}

// StartWith is Start with options.
func StartWith(t testing.TB, yaml string, options Options) *Proxy {
	t.Helper()
	p := &Proxy{t: t, log: &lockedBuffer{}, exited: make(chan struct{})}
	p.Config = filepath.Join(t.TempDir(), "outrigger.yaml")
	if !strings.Contains(yaml, "admin:") {
		p.Admin = Address(t)
		yaml += fmt.Sprintf("admin: { listen: \"%s\" }\n", p.Admin)
	}
	p.Write(yaml)
	argv := append(append([]string{}, options.Wrapper...), Binary(t), "run", "-c", p.Config)
	argv = append(argv, options.Args...)
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Env = append(os.Environ(), options.Env...)
	p.cmd.ExtraFiles = options.Files
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", argv[0], err)
	}
	p.Pid = p.cmd.Process.Pid
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(p.cleanup)
	if !options.NoWait {
		p.WaitReady()
	}
	return p
}

// Write replaces the YAML in one step, as an editor or a mounted volume would.
func (p *Proxy) Write(yaml string) {
	p.t.Helper()
	if p.Admin != "" && !strings.Contains(yaml, "admin:") {
		yaml += fmt.Sprintf("admin: { listen: \"%s\" }\n", p.Admin)
	}
	if !strings.Contains(yaml, "drain:") {
		yaml += "drain: { window: off }\n" // no test waits for a while
	}
	if !strings.Contains(yaml, "version:") {
		yaml = "version: 1\n" + yaml
	}
	next := p.Config + ".next"
	if err := os.WriteFile(next, []byte(yaml), 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(next, p.Config); err != nil {
		p.t.Fatal(err)
	}
}

// WaitReady waits until /ready answers 200.
func (p *Proxy) WaitReady() {
	p.t.Helper()
	p.Eventually(10*time.Second, "/ready answers 200", func() bool {
		status, _ := p.Get("/ready")
		return status == http.StatusOK
	})
}

// Eventually polls a condition of the process or its peers; it fails the test when the process ends or time is over.
func (p *Proxy) Eventually(within time.Duration, what string, ok func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(within)
	for !ok() {
		select {
		case <-p.exited:
			p.t.Fatalf("waiting until %s: the process ended: %v", what, p.err)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("not within %v: %s", within, what)
		}
	}
}

// Get asks the admin listener; status 0 means that it did not answer.
func (p *Proxy) Get(path string) (int, string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Admin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	response, err := adminClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

// Metric sums the samples of one metric whose labels contain every given text; found tells if there was one at all.
func (p *Proxy) Metric(name string, labels ...string) (sum float64, found bool) {
	_, body := p.Get("/metrics")
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, name) || strings.HasPrefix(line, "#") {
			continue
		}
		rest := line[len(name):]
		if rest == "" || (rest[0] != '{' && rest[0] != ' ') || !containsAll(rest, labels) {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err == nil {
			sum, found = sum+value, true
		}
	}
	return sum, found
}

// Signal sends a signal to the process that was started (the supervisor, unless --single).
func (p *Proxy) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// WaitExit waits for the end of the process and returns its exit code, -1 if a signal ended it.
func (p *Proxy) WaitExit(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		p.t.Fatalf("the process did not end within %v", within)
	}
	var exit *exec.ExitError
	if p.err == nil {
		return 0
	}
	if errors.As(p.err, &exit) {
		return exit.ExitCode()
	}
	p.t.Fatalf("wait: %v", p.err)
	return -1
}

// Exited is closed when the process has ended.
func (p *Proxy) Exited() <-chan struct{} { return p.exited }

// Log is what the process wrote so far.
func (p *Proxy) Log() string { return p.log.String() }

// Workers are the pids of the children of the started process; with --single there are none.
func (p *Proxy) Workers() []int { return children(p.Pid) }

// ResidentKiB is the resident memory of the process and its children.
func (p *Proxy) ResidentKiB() int {
	total := 0
	for _, pid := range append(p.Workers(), p.Pid) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
				n, _ := strconv.Atoi(fields[1])
				total += n
			}
		}
	}
	return total
}

// CPU is the time that the process and its children have computed.
func (p *Proxy) CPU() time.Duration {
	var total time.Duration
	for _, pid := range append(p.Workers(), p.Pid) {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, task := range tasks {
			data, err := os.ReadFile(task)
			if err != nil {
				continue
			}
			if fields := strings.Fields(string(data)); len(fields) > 0 {
				ns, _ := strconv.ParseInt(fields[0], 10, 64)
				total += time.Duration(ns)
			}
		}
	}
	return total
}

// Address gives a free loopback address below the range that the kernel hands out by itself.
func Address(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Port(t)))
}

func (p *Proxy) cleanup() {
	p.stop()
	if p.t.Failed() {
		yaml, _ := os.ReadFile(p.Config)
		p.t.Logf("configuration:\n%s\nlog of the process:\n%s", yaml, tail(p.log.String(), 8000))
	}
	for _, bad := range []string{"AddressSanitizer", "ThreadSanitizer", "runtime error:", "LeakSanitizer"} {
		if strings.Contains(p.log.String(), bad) {
			p.t.Errorf("sanitizer report:\n%s", tail(p.log.String(), 8000))
		}
	}
}

// stop asks again and again, as a second signal ends a drain at once, and kills what does not listen.
func (p *Proxy) stop() {
	workers := p.Workers()
	for range 60 {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.exited:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	_ = p.cmd.Process.Kill()
	for _, pid := range workers {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.exited
}

var adminClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func children(pid int) []int {
	var out []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		data, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(data)) {
			if child, err := strconv.Atoi(field); err == nil {
				out = append(out, child)
			}
		}
	}
	return out
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func tail(text string, n int) string {
	if len(text) > n {
		return "..." + text[len(text)-n:]
	}
	return text
}
