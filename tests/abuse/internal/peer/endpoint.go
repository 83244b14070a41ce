package peer

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
)

// Paths that an Endpoint knows; it answers every other one at once, when the call is whole.
const (
	Hang  = "/attack.Hang/Call"  // never answered
	Stuck = "/attack.Stuck/Call" // never answered, and no window is given back for its stream
	Big   = "/attack.Big/Call"   // answered with a message of 1 MiB
	Clean = "/clean.Clean/Call"  // what the neighbour calls
	Quick = "/attack.Quick/Call" // answered at once
)

// bigAnswer is one message.
var bigAnswer = frames.Message(make([]byte, 1<<20))

// Endpoint answers calls behind the proxy and counts the attacker's: those not on Clean.
type Endpoint struct {
	Address  string
	listener net.Listener

	mu        sync.Mutex
	total     int // calls of the attacker
	alive     int // of them, open
	peak      int
	cancelled map[string]time.Time // x-id of a call that was reset
	received  int                  // bytes of Stuck
	sent      int                  // bytes of Big
	conns     map[*endpointConn]bool
}

// Serve starts an endpoint on a free loopback port.
func Serve(t testing.TB) *Endpoint {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &Endpoint{Address: l.Addr().String(), listener: l, cancelled: map[string]time.Time{}, conns: map[*endpointConn]bool{}}
	t.Cleanup(e.Close)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go e.serve(nc)
		}
	}()
	return e
}

// Close ends the endpoint and its connections.
func (e *Endpoint) Close() {
	e.listener.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns {
		c.nc.Close()
	}
}

// Attempts of the attacker: all, open now, most open at a time.
func (e *Endpoint) Attempts() (total, alive, peak int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total, e.alive, e.peak
}

// Forget starts Attempts anew.
func (e *Endpoint) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.peak = 0, e.alive
}

// Received is how many bytes came on Stuck calls, Sent how many went out on Big ones.
func (e *Endpoint) Received() int { e.mu.Lock(); defer e.mu.Unlock(); return e.received }
func (e *Endpoint) Sent() int     { e.mu.Lock(); defer e.mu.Unlock(); return e.sent }

// Cancelled waits until the call with this x-id was reset and tells when.
func (e *Endpoint) Cancelled(id string, within time.Duration) (time.Time, bool) {
	for end := time.Now().Add(within); ; time.Sleep(200 * time.Microsecond) {
		e.mu.Lock()
		at, ok := e.cancelled[id]
		e.mu.Unlock()
		if ok || time.Now().After(end) {
			return at, ok
		}
	}
}

type endpointConn struct {
	e       *Endpoint
	nc      net.Conn
	w       *bufio.Writer
	streams map[uint32]*endpointStream
	window  int64
	initial int64
	decoder *hpack.Decoder
	fields  map[string]string
	ok, end []byte // header blocks of answers
}

type endpointStream struct {
	path, id string
	window   int64
	left     int // of the answer
	ended    bool
}

func (e *Endpoint) serve(nc net.Conn) {
	defer nc.Close()
	r := bufio.NewReaderSize(nc, 64<<10)
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(r, preface); err != nil {
		return
	}
	c := &endpointConn{e: e, nc: nc, w: bufio.NewWriterSize(nc, 64<<10), streams: map[uint32]*endpointStream{}, window: 65535,
		initial: 65535, fields: map[string]string{}}
	c.decoder = hpack.NewDecoder(4096, func(f hpack.HeaderField) { c.fields[f.Name] = f.Value })
	c.ok = frames.Block(hpack.HeaderField{Name: ":status", Value: "200"}, hpack.HeaderField{Name: "content-type", Value: "application/grpc"})
	c.end = frames.Block(hpack.HeaderField{Name: "grpc-status", Value: "0"})
	e.mu.Lock()
	e.conns[c] = true
	e.mu.Unlock()
	c.frame(frames.Settings, 0, 0, append(frames.Setting(3, 1<<20), frames.Setting(4, 65535)...))
	c.frame(frames.WindowUpdate, 0, 0, frames.Word(1<<30))
	c.read(r)
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
	for _, s := range c.streams {
		e.gone(s)
	}
}

func (e *Endpoint) gone(s *endpointStream) {
	if s.path != Clean {
		e.alive--
	}
}

func (c *endpointConn) frame(kind, flags byte, stream uint32, payload []byte) {
	var head [frames.HeadBytes]byte
	b := frames.Append(head[:0], kind, flags, stream, nil)
	b[0], b[1], b[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	_, _ = c.w.Write(b)
	_, _ = c.w.Write(payload)
}

func (c *endpointConn) read(r *bufio.Reader) {
	var head [frames.HeadBytes]byte
	payload := make([]byte, 1<<14)
	for {
		if r.Buffered() < frames.HeadBytes && c.w.Flush() != nil {
			return
		}
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return
		}
		n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if n > len(payload) {
			return
		}
		if _, err := io.ReadFull(r, payload[:n]); err != nil {
			return
		}
		if !c.take(head[3], head[4], binary.BigEndian.Uint32(head[5:])&0x7fffffff, payload[:n]) {
			return
		}
	}
}

func (c *endpointConn) take(kind, flags byte, stream uint32, payload []byte) bool {
	s := c.streams[stream]
	switch kind {
	case frames.Headers: // the proxy writes no padding, no priority and, for what passes its bounds, no CONTINUATION
		clear(c.fields)
		if _, err := c.decoder.Write(payload); err != nil || c.decoder.Close() != nil || flags&frames.EndHeaders == 0 {
			return false
		}
		if s == nil {
			s = c.open(stream)
		}
		c.maybeAnswer(stream, s, flags)
	case frames.Data:
		c.frame(frames.WindowUpdate, 0, 0, frames.Word(uint32(max(1, len(payload)))))
		if s == nil {
			return true
		}
		if s.path == Stuck {
			c.e.mu.Lock()
			c.e.received += len(payload)
			c.e.mu.Unlock()
		} else if len(payload) > 0 && flags&frames.EndStream == 0 {
			c.frame(frames.WindowUpdate, 0, stream, frames.Word(uint32(len(payload))))
		}
		c.maybeAnswer(stream, s, flags)
	case frames.ResetStream:
		if s != nil {
			c.drop(stream, s, true)
		}
	case frames.WindowUpdate:
		c.takeWindow(stream, s, binary.BigEndian.Uint32(payload))
	case frames.Settings:
		if flags&frames.Ack == 0 {
			c.takeSettings(payload)
		}
	case frames.Ping:
		if flags&frames.Ack == 0 {
			c.frame(frames.Ping, frames.Ack, 0, payload)
		}
	}
	return true
}

func (c *endpointConn) open(stream uint32) *endpointStream {
	s := &endpointStream{path: strings.Clone(c.fields[":path"]), id: strings.Clone(c.fields["x-id"]), window: c.initial}
	c.streams[stream] = s
	if s.path != Clean {
		c.e.mu.Lock()
		c.e.total++
		c.e.alive++
		c.e.peak = max(c.e.peak, c.e.alive)
		c.e.mu.Unlock()
	}
	return s
}

func (c *endpointConn) drop(stream uint32, s *endpointStream, reset bool) {
	delete(c.streams, stream)
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.gone(s)
	if reset && s.id != "" {
		c.e.cancelled[s.id] = time.Now()
	}
}

func (c *endpointConn) maybeAnswer(stream uint32, s *endpointStream, flags byte) {
	if flags&frames.EndStream == 0 || s.ended {
		return
	}
	s.ended = true
	switch s.path {
	case Hang, Stuck:
	case Big:
		c.frame(frames.Headers, frames.EndHeaders, stream, c.ok)
		s.left = len(bigAnswer)
		c.pump(stream, s)
	default:
		c.frame(frames.Headers, frames.EndHeaders, stream, c.ok)
		c.frame(frames.Data, 0, stream, frames.Message([]byte("answer")))
		c.frame(frames.Headers, frames.EndHeaders|frames.EndStream, stream, c.end)
		c.drop(stream, s, false)
	}
}

func (c *endpointConn) pump(stream uint32, s *endpointStream) {
	for s.left > 0 && s.window > 0 && c.window > 0 {
		n := min(s.left, 1<<14, int(s.window), int(c.window))
		c.frame(frames.Data, 0, stream, bigAnswer[len(bigAnswer)-s.left:][:n])
		s.left -= n
		s.window -= int64(n)
		c.window -= int64(n)
		c.e.mu.Lock()
		c.e.sent += n
		c.e.mu.Unlock()
	}
	if s.left == 0 {
		c.frame(frames.Headers, frames.EndHeaders|frames.EndStream, stream, c.end)
		c.drop(stream, s, false)
	}
}

func (c *endpointConn) takeWindow(stream uint32, s *endpointStream, n uint32) {
	if stream == 0 {
		c.window += int64(n)
		for id, s := range c.streams {
			if s.left > 0 {
				c.pump(id, s)
			}
		}
	} else if s != nil {
		s.window += int64(n)
		if s.left > 0 {
			c.pump(stream, s)
		}
	}
}

func (c *endpointConn) takeSettings(payload []byte) {
	for ; len(payload) >= 6; payload = payload[6:] {
		if binary.BigEndian.Uint16(payload) == 4 {
			now := int64(binary.BigEndian.Uint32(payload[2:]))
			for _, s := range c.streams {
				s.window += now - c.initial
			}
			c.initial = now
		}
	}
	c.frame(frames.Settings, frames.Ack, 0, nil)
}
