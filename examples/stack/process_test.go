package stack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// process is a program that a test starts, ends and starts again, always with the same command. Its log goes on.
type process struct {
	name  string
	argv  []string
	env   []string
	log   string
	mutex sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *process) start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cmd = exec.Command(p.argv[0], p.argv[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
}

func (p *process) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("%s: %v", p.name, err)
	}
}

// end sends a signal and waits until the process has ended.
func (p *process) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	p.signal(t, signal)
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.signal(t, syscall.SIGKILL)
		<-p.ended
		t.Errorf("%s does not end after %v", p.name, signal)
	}
}

var binaries = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "shop")
	if err != nil {
		return "", err
	}
	for _, name := range []string{"order", "payment", "shipping"} {
		build := exec.Command("go", "build", "-o", filepath.Join(folder, name), "./"+name+"/cmd")
		build.Dir = ".."
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return folder, fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return folder, nil
})

// TestMain removes the programs that tests have built.
func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getenv("OUTRIGGER") != "" {
		if folder, _ := binaries(); folder != "" {
			os.RemoveAll(folder)
		}
	}
	os.Exit(code)
}

// program is the path of one of the services.
func program(t testing.TB, name string) string {
	t.Helper()
	folder, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, name)
}

// outrigger is the binary of the sidecars, from the environment variable OUTRIGGER.
func outrigger(t testing.TB) string {
	t.Helper()
	path := os.Getenv("OUTRIGGER")
	if path == "" {
		t.Skip("OUTRIGGER does not name the binary of the sidecars")
	}
	return path
}

// address is one of the loopback that is free: a port below the range from which the system takes ports for outgoing
// connections, kept from other processes that ask here by a lock that lasts as long as this one.
func address(t testing.TB) string {
	t.Helper()
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("outrigger-e2e-ports-%d", os.Getuid()))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		fd, err := syscall.Open(filepath.Join(folder, fmt.Sprint(port)), syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		at := fmt.Sprintf("127.0.0.1:%d", port)
		if syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			if listener, err := net.Listen("tcp", at); err == nil {
				listener.Close()
				return at // the descriptor stays open: it is the reservation
			}
		}
		syscall.Close(fd)
	}
	t.Fatal("no free port")
	return ""
}

func eventually(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}

func isReady(admin string) func() bool {
	return func() bool {
		answer, err := http.Get("http://" + admin + "/ready")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}
}

func dial(t testing.TB, at string) *grpc.ClientConn {
	t.Helper()
	connection, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func serves(t testing.TB, at string) func() bool {
	return func() bool {
		connection := dial(t, at)
		defer connection.Close()
		answer, err := grpc_health_v1.NewHealthClient(connection).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		return err == nil && answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING
	}
}
