package proxy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Port gives a free loopback port.
func Port(t testing.TB) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// FreePort is Port outside of a test. The port lies below the ephemeral range, so no outgoing connection takes it in
// between, and a lock file held until the process ends keeps other test processes of this user away from it.
func FreePort() (int, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("outrigger-e2e-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	for range 1000 {
		port := 12000 + rand.IntN(20000)
		if reserve(filepath.Join(dir, fmt.Sprint(port))) && free(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port")
}

func reserve(path string) bool {
	fd, err := syscall.Open(path, syscall.O_CREAT|syscall.O_RDWR|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return false
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		syscall.Close(fd)
		return false
	}
	return true // the descriptor stays open: it is the reservation
}

func free(port int) bool {
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", host, port))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}
