// Package endpoint is a payment service at frame level, whose faults are switched while it runs and which keeps what it
// executed in a file. Requests and answers are one small message each, so it never waits for windows. It takes what
// its caller sends for good HTTP/2; internal/wire is the peer to judge that.
package endpoint

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Options of an endpoint.
type Options struct {
	Listen   string        // host:port
	Ledger   *Ledger       // nil: executions are only counted
	Service  time.Duration // a call takes between this and twice as long
	Log      bool          // keep every attempt
	Streams  uint32        // allowed at once on a connection; 0: 1,000
	Capacity int           // calls a second, in their order, in place of Service; 0: no such bound
	Queue    int           // with Capacity: calls that may wait; others are told UNAVAILABLE at once
}

// Attempt is a request that arrived.
type Attempt struct {
	At       time.Time
	Path, ID string
	Previous string // grpc-previous-rpc-attempts
	Fault    Fault
}

// Server is a running endpoint.
type Server struct {
	Address string

	options  Options
	queue    *queue // nil: each call is served when it comes
	mode     atomic.Pointer[Mode]
	attempts atomic.Int64

	mu       sync.Mutex
	listener net.Listener
	conns    map[*conn]bool
	log      []Attempt
	executed map[string]int
	closed   bool
}

// Start listens and serves.
func Start(options Options) (*Server, error) {
	s := &Server{options: options, conns: map[*conn]bool{}, executed: map[string]int{}}
	s.mode.Store(&Mode{})
	listener, err := net.Listen("tcp", options.Listen)
	if err != nil {
		return nil, err
	}
	s.Address = listener.Addr().String()
	s.listener = listener
	if options.Capacity > 0 {
		s.queue = newQueue(s, options)
	}
	go s.accept(listener)
	return s, nil
}

// Set changes how calls are treated. Leaving BlackHole cuts the connections that it swallowed.
func (s *Server) Set(mode Mode) {
	if old := s.mode.Swap(&mode); old.Fault == BlackHole && mode.Fault != BlackHole {
		s.cut()
	}
}

// Attempts is how many requests have arrived.
func (s *Server) Attempts() int { return int(s.attempts.Load()) }

// Log is every request that has arrived, if Options.Log.
func (s *Server) Log() []Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Attempt(nil), s.log...)
}

// Executed is how often each "PATH ID" was executed by this process.
func (s *Server) Executed() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]int, len(s.executed))
	for id, n := range s.executed {
		out[id] = n
	}
	return out
}

// GoAway ends all connections: each hears GOAWAY, its calls end, and it is closed. With deaf > 0 requests are not taken
// for so long before, and the GOAWAY excludes them; otherwise it comes in two phases, as RFC 9113 section 6.8 advises.
func (s *Server) GoAway(deaf time.Duration) {
	var wait sync.WaitGroup
	for _, c := range s.all() {
		wait.Go(func() { c.goAway(deaf) })
	}
	wait.Wait()
}

// Restart is GoAway with a listener that is closed meanwhile and for `down` after it.
func (s *Server) Restart(deaf, down time.Duration) error {
	s.listener.Close()
	s.GoAway(deaf)
	time.Sleep(down)
	var err error
	for range 100 {
		var listener net.Listener
		if listener, err = net.Listen("tcp", s.Address); err == nil {
			s.listener = listener
			go s.accept(listener)
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("listen again: %w", err)
}

// Close ends the endpoint and its connections at once.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listener.Close()
	if s.queue != nil {
		close(s.queue.done)
	}
	s.cut()
}

func (s *Server) cut() {
	for _, c := range s.all() {
		c.nc.Close()
	}
}

func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*conn
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}

func (s *Server) accept(listener net.Listener) {
	for {
		nc, err := listener.Accept()
		if err != nil {
			return
		}
		c := newConn(s, nc.(*net.TCPConn))
		s.mu.Lock()
		s.conns[c] = true
		closed := s.closed
		s.mu.Unlock()
		if closed {
			nc.Close()
		}
		go func() {
			c.read()
			nc.Close()
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		}()
	}
}

// arrived notes a request and tells its fault.
func (s *Server) arrived(path, id, previous string) (Fault, *Mode) {
	mode := s.mode.Load()
	fault := mode.fault()
	s.attempts.Add(1)
	if s.options.Log {
		s.mu.Lock()
		s.log = append(s.log, Attempt{At: time.Now(), Path: path, ID: id, Previous: previous, Fault: fault})
		s.mu.Unlock()
	}
	return fault, mode
}

// execute moves the money.
func (s *Server) execute(path, id string) error {
	line := path + " " + id
	if s.options.Ledger != nil {
		return s.options.Ledger.Record(line)
	}
	s.mu.Lock()
	s.executed[line]++
	s.mu.Unlock()
	return nil
}

func (s *Server) service() time.Duration {
	return s.options.Service + time.Duration(rand.Float64()*float64(s.options.Service))
}
