package wire

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// Server is an endpoint of which each connection is scripted.
type Server struct {
	Address string

	t        testing.TB
	listener net.Listener
	config   *tls.Config
	does     Behaviour

	mu       sync.Mutex
	accepted int
	all      []*Conn       // that have sent their preface
	taken    int           // of them, by Accept
	changed  chan struct{} // closed and replaced when one is added
}

// Listen starts an endpoint on HOST:PORT or unix:PATH; with a TLS configuration it shakes hands on each connection.
func Listen(t testing.TB, address string, config *tls.Config, does Behaviour) *Server {
	t.Helper()
	network, where := "tcp", address
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, where = "unix", path
	}
	listener, err := net.Listen(network, where)
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(t, listener, config, does)
	if network == "unix" {
		s.Address = address
	}
	return s
}

// Serve is Listen on a listener that is there already.
func Serve(t testing.TB, listener net.Listener, config *tls.Config, does Behaviour) *Server {
	t.Helper()
	s := &Server{Address: listener.Addr().String(), t: t, listener: listener, config: config, does: does, changed: make(chan struct{})}
	t.Cleanup(func() { listener.Close() })
	go s.accept()
	return s
}

// Local is Listen in the clear on any free loopback port.
func Local(t testing.TB, does Behaviour) *Server {
	t.Helper()
	return Listen(t, "127.0.0.1:0", nil, does)
}

// Accept waits for the next connection that has sent its preface.
func (s *Server) Accept() *Conn {
	s.t.Helper()
	deadline := time.After(Patience)
	for {
		s.mu.Lock()
		if s.taken < len(s.all) {
			s.taken++
			c := s.all[s.taken-1]
			s.mu.Unlock()
			return c
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("no connection came to the endpoint %s", s.Address)
		}
	}
}

// Accepted is how many connections have been accepted, with or without a handshake.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Conns are all connections that have sent their preface.
func (s *Server) Conns() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Conn(nil), s.all...)
}

// Requests are the request header blocks that all connections have seen.
func (s *Server) Requests() []Frame {
	var out []Frame
	for _, c := range s.Conns() {
		for _, f := range c.Frames() {
			if f.Type == http2.FrameHeaders && f.Has(":path") {
				out = append(out, f)
			}
		}
	}
	return out
}

// Close stops accepting.
func (s *Server) Close() { s.listener.Close() }

func (s *Server) accept() {
	for {
		nc, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.accepted++
		number := s.accepted
		s.mu.Unlock()
		go s.serve(nc, number)
	}
}

func (s *Server) serve(nc net.Conn, number int) {
	if s.config != nil {
		nc = tls.Server(nc, s.config)
	}
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(nc, preface); err != nil || string(preface) != http2.ClientPreface {
		nc.Close()
		return
	}
	c := newConn(s.t, fmt.Sprintf("endpoint %s, connection %d", s.Address, number), nc, s.does)
	if !s.does.NoSettings {
		c.Settings(s.does.Settings...)
	}
	s.mu.Lock()
	s.all = append(s.all, c)
	close(s.changed)
	s.changed = make(chan struct{})
	s.mu.Unlock()
	c.read()
}

// NextRequest waits for the header block of a call that comes after the given stream.
func (c *Conn) NextRequest(after uint32) Frame {
	c.t.Helper()
	return c.Want(fmt.Sprintf("a request after stream %d", after), func(f Frame) bool {
		return f.Type == http2.FrameHeaders && f.Stream > after && f.Has(":path")
	})
}

// WantEnd waits until the caller has ended its side of a stream.
func (c *Conn) WantEnd(stream uint32) Frame {
	c.t.Helper()
	return c.Want(fmt.Sprintf("END_STREAM on %d", stream), func(f Frame) bool { return f.Stream == stream && f.End() })
}

// Respond sends headers, one message and trailers with status 0.
func (c *Conn) Respond(stream uint32, body []byte) {
	c.Headers(stream, false, OK()...)
	c.Data(stream, false, Message(body))
	c.Headers(stream, true, Field{Name: "grpc-status", Value: "0"})
}

// OK are the header fields of a gRPC answer, with more behind them.
func OK(more ...Field) []Field {
	return append([]Field{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/grpc"}}, more...)
}

// Echo answers each call with its own data once the call is whole.
func Echo(c *Conn, f Frame) {
	if !f.End() {
		return
	}
	data := Collect(c.Frames(), f.Stream).Data
	answer := func() {
		c.Headers(f.Stream, false, OK()...)
		if len(data) > 0 {
			c.Send(f.Stream, false, data, Patience)
		}
		c.Headers(f.Stream, true, Field{Name: "grpc-status", Value: "0"})
	}
	if len(data) > 4096 {
		go answer() // this is the reading goroutine, and room is to be waited for
	} else {
		answer()
	}
}

// Silent is the address of a listener that the kernel completes no connection to: its queue is full and nobody accepts.
func Silent(t testing.TB) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", bound.(*syscall.SockaddrInet4).Port)
	for { // fill the queue: the first connection that is not completed shows that it is full
		nc, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { nc.Close() })
	}
}
