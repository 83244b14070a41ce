// Package postgres runs PostgreSQL servers for tests: the installed one, in a folder of its own, on a unix socket alone.
package postgres

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const superuser = "shop"

// Server is a running server. It belongs to a test, and ends with it.
type Server struct {
	folder string
	bin    string
	as     *syscall.Credential // nil: whoever runs the test
	server *exec.Cmd
	mutex  sync.Mutex
	made   int // databases
}

// Start makes a cluster and starts its server. The test is skipped where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	// Not t.TempDir(): the server's user must be able to reach it, and the path of a socket may not be long.
	folder, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{folder: folder, bin: filepath.Dir(found[len(found)-1])}
	t.Cleanup(func() {
		s.end(syscall.SIGINT)
		os.RemoveAll(folder)
	})
	if os.Getuid() == 0 {
		s.as = unprivileged(t)
		if err := os.Chown(folder, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := s.command("initdb", "-D", s.data(), "-U", superuser, "-A", "trust", "-N", "-E", "UTF8",
		"--locale", "C.UTF-8").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.Again(t)
	return s
}

// unprivileged is the user that the package made, as the server does not run as root.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if found, err := user.Lookup(name); err == nil {
			uid, uidError := strconv.Atoi(found.Uid)
			gid, gidError := strconv.Atoi(found.Gid)
			if errors.Join(uidError, gidError) == nil {
				return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			}
		}
	}
	t.Skip("PostgreSQL does not run as root, and there is no other user")
	return nil
}

// Database makes an empty database and returns what connects to it.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	s.mutex.Lock()
	s.made++
	name := fmt.Sprintf("d%d", s.made)
	s.mutex.Unlock()
	if out, err := s.command("createdb", "-h", s.folder, "-U", superuser, name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, out)
	}
	return fmt.Sprintf("postgres:///%s?host=%s&user=%s", name, s.folder, superuser)
}

// Stop ends the server at once, as a machine would that fails.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.end(syscall.SIGQUIT)
}

// Again starts the server, and returns when it takes connections.
func (s *Server) Again(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.server = s.command("postgres", "-D", s.data(), "-k", s.folder, "-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "fsync=off",
		"-c", "max_connections=60")
	s.server.Stdout, s.server.Stderr = log, log
	if err := s.server.Start(); err != nil {
		t.Fatalf("postgres: %v", err)
	}
	for end := time.Now().Add(30 * time.Second); !s.answers(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			text, _ := os.ReadFile(filepath.Join(s.folder, "log"))
			t.Fatalf("postgres does not start:\n%s", text)
		}
	}
}

func (s *Server) answers() bool {
	return s.command("pg_isready", "-q", "-h", s.folder, "-U", superuser).Run() == nil
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) end(how syscall.Signal) {
	if s.server == nil {
		return
	}
	if err := s.server.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.server.Process.Kill()
	}
	s.server.Wait()
	s.server = nil
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(s.bin, name), args...)
	command.Dir = s.folder
	command.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	return command
}
