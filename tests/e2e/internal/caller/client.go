// Package caller makes unary gRPC calls at frame level: it has no timer of its own for a deadline, tries nothing again
// and sees each answer as it came, so what it hears is the doing of its peer alone. Load generators are built on it.
package caller

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"
)

// Statuses that are no gRPC status.
const (
	Lost   = -1 // the stream was reset, or the connection ended
	Silent = -2 // nothing came within Patience after the deadline
)

// Patience is how long after its deadline a call is waited for.
const Patience = 10 * time.Second

// streamsMax keeps a connection below the streams that any peer allows.
const streamsMax = 90

// Call is one request with one message.
type Call struct {
	Path, ID string // the message is the ID
	Timeout  time.Duration
}

// Answer is how a call ended.
type Answer struct {
	Status  int // grpc-status, Lost or Silent
	Message string
	Reason  string        // of the ErrorInfo in the details
	RetryIn time.Duration // of the RetryInfo in the details, 0 when absent
	Body    string
	Took    time.Duration // since the request was to be sent
	Waited  time.Duration // since it was sent
}

// Client is a set of connections to one address, made when they are first needed and anew when they have ended.
type Client struct {
	address string
	slots   []*slot
	next    atomic.Uint32
	strays  atomic.Int64
}

type slot struct {
	room chan struct{}
	mu   sync.Mutex
	conn *conn
}

// New gives a client with so many connections; each carries at most 90 calls at a time, more wait.
func New(address string, connections int) *Client {
	c := &Client{address: address}
	for range connections {
		c.slots = append(c.slots, &slot{room: make(chan struct{}, streamsMax)})
	}
	return c
}

// Strays is how many answers or parts of answers came on streams that had ended already.
func (c *Client) Strays() int { return int(c.strays.Load()) }

// Close ends the connections.
func (c *Client) Close() {
	for _, s := range c.slots {
		s.mu.Lock()
		if s.conn != nil {
			s.conn.nc.Close()
		}
		s.mu.Unlock()
	}
}

// Do makes a call and waits for its end.
func (c *Client) Do(call Call) Answer { return c.DoSince(call, time.Now()) }

// DoSince is Do for a call that should have begun at a moment that has passed; Took counts from there.
func (c *Client) DoSince(call Call, start time.Time) Answer {
	s := c.slots[int(c.next.Add(1))%len(c.slots)]
	s.room <- struct{}{}
	defer func() { <-s.room }()
	conn, err := s.ready(c)
	if err != nil {
		return Answer{Status: Lost, Message: err.Error(), Took: time.Since(start)}
	}
	a := conn.call(call)
	a.Took = time.Since(start)
	return a
}

func (s *slot) ready(c *Client) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && !s.conn.isClosing() {
		return s.conn, nil
	}
	conn, err := dial(c.address, &c.strays)
	if err == nil {
		s.conn = conn
	}
	return conn, err
}

type conn struct {
	nc net.Conn

	writing sync.Mutex
	writer  *bufio.Writer
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	next    uint32

	mu      sync.Mutex
	pending map[uint32]*pending
	closing bool // ended, or told to go away
	got     uint32
	strays  *atomic.Int64
}

type pending struct {
	answer Answer
	body   []byte
	sent   time.Time
	done   chan struct{}
}

func dial(address string, strays *atomic.Int64) (*conn, error) {
	nc, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return nil, err
	}
	c := &conn{nc: nc, writer: bufio.NewWriter(nc), next: 1, pending: map[uint32]*pending{}, strays: strays}
	c.framer = http2.NewFramer(c.writer, bufio.NewReader(nc))
	c.framer.SetReuseFrames()
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	err = c.write(func() error {
		if _, err := c.writer.WriteString(http2.ClientPreface); err != nil {
			return err
		}
		return c.framer.WriteSettings()
	})
	if err != nil {
		nc.Close()
		return nil, err
	}
	go c.read()
	return c, nil
}

func (c *conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

func (c *conn) call(call Call) Answer {
	p := &pending{answer: Answer{Status: Lost, Message: "the connection ended"}, done: make(chan struct{}), sent: time.Now()}
	var id uint32
	err := c.write(func() error {
		id = c.next
		c.next += 2
		c.mu.Lock()
		closing := c.closing
		if !closing {
			c.pending[id] = p
		}
		c.mu.Unlock()
		if closing {
			return errors.New("the connection ended before")
		}
		return c.request(id, call)
	})
	if err != nil {
		return Answer{Status: Lost, Message: err.Error()}
	}
	timer := time.NewTimer(call.Timeout + Patience)
	defer timer.Stop()
	select {
	case <-p.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return p.answer
	case <-timer.C:
		return Answer{Status: Silent, Message: "nothing came"}
	}
}

func (c *conn) request(id uint32, call Call) error {
	c.block.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", call.Path}, {":authority", "payment"},
		{"content-type", "application/grpc"}, {"te", "trailers"}, {"grpc-timeout", Timeout(call.Timeout)}} {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndHeaders: true})
	if err != nil {
		return err
	}
	return c.framer.WriteData(id, true, append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(call.ID))), call.ID...))
}

// Timeout is a duration as grpc-timeout has it, in milliseconds or microseconds.
func Timeout(d time.Duration) string {
	if d >= 10*time.Second {
		return strconv.FormatInt(d.Milliseconds(), 10) + "m"
	}
	return strconv.FormatInt(d.Microseconds(), 10) + "u"
}

func (c *conn) write(frames func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := frames(); err != nil {
		return err
	}
	return c.writer.Flush()
}

func (c *conn) read() {
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			c.end()
			return
		}
		c.take(frame)
	}
}

func (c *conn) end() {
	c.nc.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	for id, p := range c.pending {
		close(p.done)
		delete(c.pending, id)
	}
}

func (c *conn) take(frame http2.Frame) {
	id := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		c.takeHeaders(id, frame)
	case *http2.DataFrame:
		c.takeData(id, frame)
	case *http2.RSTStreamFrame:
		if c.isPending(id) { // one may follow an answer
			c.finish(id, func(a *Answer) { a.Message = "RST_STREAM " + frame.ErrCode.String() })
		}
	case *http2.GoAwayFrame:
		c.mu.Lock()
		c.closing = true
		c.mu.Unlock()
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			_ = c.write(c.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if data := frame.Data; !frame.IsAck() {
			_ = c.write(func() error { return c.framer.WritePing(true, data) })
		}
	}
}

func (c *conn) takeHeaders(id uint32, frame *http2.MetaHeadersFrame) {
	if !frame.StreamEnded() {
		if !c.isPending(id) {
			c.strays.Add(1)
		}
		return
	}
	c.finish(id, func(a *Answer) {
		a.Status, a.Message = Lost, "no grpc-status"
		for _, f := range frame.Fields {
			switch f.Name {
			case "grpc-status":
				if n, err := strconv.Atoi(f.Value); err == nil {
					a.Status = n
				}
			case "grpc-message":
				a.Message = f.Value
			case "grpc-status-details-bin":
				a.details(f.Value)
			}
		}
	})
}

func (c *conn) takeData(id uint32, frame *http2.DataFrame) {
	c.mu.Lock()
	c.got += frame.Length
	step := c.got
	if c.got > 16384 {
		c.got = 0
	}
	if p := c.pending[id]; p != nil {
		p.body = append(p.body, frame.Data()...)
	}
	c.mu.Unlock()
	if step > 16384 {
		_ = c.write(func() error { return c.framer.WriteWindowUpdate(0, step) })
	}
	if frame.StreamEnded() {
		c.finish(id, func(a *Answer) { a.Message = "no trailers" })
	}
}

func (c *conn) isPending(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending[id] != nil
}

// finish ends a call; what comes for one that has ended already is counted.
func (c *conn) finish(id uint32, how func(*Answer)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pending[id]
	if p == nil {
		c.strays.Add(1)
		return
	}
	how(&p.answer)
	p.answer.Waited = time.Since(p.sent)
	p.answer.Body = string(p.body[min(5, len(p.body)):])
	delete(c.pending, id)
	close(p.done)
}

// details reads grpc-status-details-bin.
func (a *Answer) details(value string) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	var status spb.Status
	if err != nil || proto.Unmarshal(raw, &status) != nil {
		a.Reason = fmt.Sprintf("unreadable details %q", value)
		return
	}
	for _, detail := range status.Details {
		var info errdetails.ErrorInfo
		var retry errdetails.RetryInfo
		if detail.MessageIs(&info) && detail.UnmarshalTo(&info) == nil {
			a.Reason = info.Reason
		}
		if detail.MessageIs(&retry) && detail.UnmarshalTo(&retry) == nil {
			a.RetryIn = retry.RetryDelay.AsDuration()
		}
	}
}

// Spread is a set of clients that take turns: balancing that knows nothing of its endpoints.
type Spread struct {
	Clients []*Client
	next    atomic.Uint32
}

// DoSince is Client.DoSince of the next client.
func (s *Spread) DoSince(call Call, start time.Time) Answer {
	return s.Clients[int(s.next.Add(1))%len(s.Clients)].DoSince(call, start)
}
