package abuse

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"outrigger/tests/e2e/internal/proxy"
)

// shim builds shim/NAME.c and gives the options that load it into a proxy.
func shim(t *testing.T, name string, env ...string) proxy.Options {
	t.Helper()
	library := filepath.Join(t.TempDir(), name+".so")
	out, err := exec.Command("cc", "-std=gnu17", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", library, filepath.Join("shim", name+".c")).CombinedOutput()
	if err != nil {
		t.Fatalf("building the shim: %v\n%s", err, out)
	}
	return proxy.Options{Env: append(env, "LD_PRELOAD="+library)}
}

// shared are words that a shim maps too.
type shared struct {
	path  string
	words []atomic.Int64
}

func newShared(t *testing.T) *shared {
	t.Helper()
	s := &shared{path: filepath.Join(t.TempDir(), "shared")}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	memory, err := syscall.Mmap(int(f.Fd()), 0, 4096, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(memory) })
	s.words = unsafe.Slice((*atomic.Int64)(unsafe.Pointer(&memory[0])), 4096/binary.Size(int64(0)))
	return s
}

func (s *shared) env() string { return "ABUSE_SHARED=" + s.path }
