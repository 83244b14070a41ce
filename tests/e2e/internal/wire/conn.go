// Package wire holds frame-level HTTP/2 peers: a connection that logs every frame it receives, as it came and with the
// time, and sends exactly what it is told. It knows no rule of HTTP/2 but how to read and write frames.
package wire

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Patience is how long a peer waits for what must come.
const Patience = 5 * time.Second

// Field is a header field.
type Field = hpack.HeaderField

// Frame is one received frame; a header block is one frame, with its CONTINUATIONs joined.
type Frame struct {
	At       time.Time
	Type     http2.FrameType
	Flags    http2.Flags
	Stream   uint32
	Fields   []Field         // HEADERS
	Data     []byte          // DATA; PING payload; GOAWAY debug data
	Code     http2.ErrCode   // RST_STREAM, GOAWAY
	Last     uint32          // GOAWAY
	Step     uint32          // WINDOW_UPDATE
	Settings []http2.Setting // SETTINGS
}

// End tells if the frame ends its stream's sending side.
func (f Frame) End() bool {
	return (f.Type == http2.FrameHeaders || f.Type == http2.FrameData) && f.Flags.Has(http2.FlagDataEndStream)
}

// Get is the first value of a field, or "".
func (f Frame) Get(name string) string {
	for _, field := range f.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// Has tells if there is such a field.
func (f Frame) Has(name string) bool {
	for _, field := range f.Fields {
		if field.Name == name {
			return true
		}
	}
	return false
}

// All are the values of a field, in order.
func (f Frame) All(name string) []string {
	var out []string
	for _, field := range f.Fields {
		if field.Name == name {
			out = append(out, field.Value)
		}
	}
	return out
}

// String is one line of a trace.
func (f Frame) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-13s stream=%d flags=%#x", f.Type, f.Stream, uint8(f.Flags))
	switch f.Type {
	case http2.FrameHeaders:
		for _, field := range f.Fields {
			fmt.Fprintf(&b, " %s=%.80q", field.Name, field.Value)
		}
	case http2.FrameData:
		fmt.Fprintf(&b, " %d bytes", len(f.Data))
	case http2.FrameRSTStream:
		fmt.Fprintf(&b, " %s", f.Code)
	case http2.FrameGoAway:
		fmt.Fprintf(&b, " last=%d %s %q", f.Last, f.Code, f.Data)
	case http2.FrameWindowUpdate:
		fmt.Fprintf(&b, " +%d", f.Step)
	case http2.FrameSettings:
		fmt.Fprintf(&b, " %v", f.Settings)
	}
	return b.String()
}

// Behaviour says what a connection does by itself.
type Behaviour struct {
	KeepWindow bool            // do not give window back for DATA
	NoAck      bool            // acknowledge neither SETTINGS nor PING
	Settings   []http2.Setting // of our first SETTINGS frame
	NoSettings bool            // send no SETTINGS frame at all
	Quiet      bool            // no trace when the test fails
	Trickle    bool            // write each byte by itself
	OnFrame    func(*Conn, Frame)
}

// Conn is one connection of a peer.
type Conn struct {
	Net net.Conn

	t     testing.TB
	name  string
	does  Behaviour
	start time.Time

	writing sync.Mutex
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer

	mu      sync.Mutex
	log     []Frame
	changed chan struct{}    // closed and replaced on each frame
	windows map[uint32]int64 // what WINDOW_UPDATEs gave; stream 0 is the connection
	initial int64            // the peer's SETTINGS_INITIAL_WINDOW_SIZE
	sent    map[uint32]int64 // by Send
	closed  time.Time        // when reading ended
	err     error
	paused  chan struct{} // when not nil, reading waits for its close
}

func newConn(t testing.TB, name string, nc net.Conn, does Behaviour) *Conn {
	c := &Conn{Net: nc, t: t, name: name, does: does, start: time.Now(), changed: make(chan struct{}),
		windows: map[uint32]int64{}, sent: map[uint32]int64{}, initial: 65535}
	if does.Trickle {
		nc = trickle{nc}
		c.Net = nc
	}
	c.framer = http2.NewFramer(nc, nc)
	c.framer.AllowIllegalReads, c.framer.AllowIllegalWrites = true, true
	c.framer.SetMaxReadFrameSize(1 << 24)
	c.encoder = hpack.NewEncoder(&c.block)
	t.Cleanup(func() {
		nc.Close()
		if t.Failed() && !does.Quiet {
			t.Logf("frames received by the %s:\n%s", name, c.Trace())
		}
	})
	return c
}

// Trace is the log as text, with milliseconds since the connection began.
func (c *Conn) Trace() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	first := max(0, len(c.log)-60)
	for _, f := range c.log[first:] {
		fmt.Fprintf(&b, "  %8.1f ms  %s\n", float64(f.At.Sub(c.start).Microseconds())/1000, f)
	}
	if !c.closed.IsZero() {
		fmt.Fprintf(&b, "  %8.1f ms  closed: %v\n", float64(c.closed.Sub(c.start).Microseconds())/1000, c.err)
	}
	return b.String()
}

// Frames is a copy of the log.
func (c *Conn) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Frame(nil), c.log...)
}

// Count is how many logged frames match.
func (c *Conn) Count(match func(Frame) bool) int {
	n := 0
	for _, f := range c.Frames() {
		if match(f) {
			n++
		}
	}
	return n
}

// Find waits for a frame that matches; false if none came in time or the connection ended without it.
func (c *Conn) Find(within time.Duration, match func(Frame) bool) (Frame, bool) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	seen := 0
	for {
		c.mu.Lock()
		for ; seen < len(c.log); seen++ {
			if match(c.log[seen]) {
				f := c.log[seen]
				c.mu.Unlock()
				return f, true
			}
		}
		changed, ended := c.changed, !c.closed.IsZero()
		c.mu.Unlock()
		if ended {
			return Frame{}, false
		}
		select {
		case <-changed:
		case <-deadline.C:
			return Frame{}, false
		}
	}
}

// Want is Find that fails the test, naming what was expected.
func (c *Conn) Want(what string, match func(Frame) bool) Frame {
	c.t.Helper()
	f, ok := c.Find(Patience, match)
	if !ok {
		c.t.Fatalf("%s: expected %s, it did not come", c.name, what)
	}
	return f
}

// WantReset waits for the end of a stream by RST_STREAM.
func (c *Conn) WantReset(stream uint32) Frame {
	c.t.Helper()
	return c.Want(fmt.Sprintf("RST_STREAM on %d", stream), func(f Frame) bool {
		return f.Type == http2.FrameRSTStream && f.Stream == stream
	})
}

// WantGoAway waits for the n-th GOAWAY, from 1.
func (c *Conn) WantGoAway(n int) Frame {
	c.t.Helper()
	seen := 0
	return c.Want(fmt.Sprintf("GOAWAY number %d", n), func(f Frame) bool {
		if f.Type == http2.FrameGoAway {
			seen++
		}
		return f.Type == http2.FrameGoAway && seen == n
	})
}

// WaitClosed waits until the peer has closed the connection and tells how long it lived.
func (c *Conn) WaitClosed(within time.Duration) (time.Duration, bool) {
	c.Find(within, func(Frame) bool { return false })
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed.Sub(c.start), !c.closed.IsZero()
}

// Pause stops reading from the socket after the frame in hand; Resume goes on.
func (c *Conn) Pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = make(chan struct{})
}

// Resume ends a Pause.
func (c *Conn) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.paused)
	c.paused = nil
}

// Headers sends a header block, split into CONTINUATIONs when it is long.
func (c *Conn) Headers(stream uint32, end bool, fields ...Field) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.block.Reset()
	for _, f := range fields {
		_ = c.encoder.WriteField(f)
	}
	block := c.block.Bytes()
	piece := block[:min(len(block), 16000)]
	rest := block[len(piece):]
	c.wrote(c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: piece, EndStream: end, EndHeaders: len(rest) == 0,
	}))
	for len(rest) > 0 {
		piece = rest[:min(len(rest), 16000)]
		rest = rest[len(piece):]
		c.wrote(c.framer.WriteContinuation(stream, len(rest) == 0, piece))
	}
}

// EncoderTable changes the size of our encoder's dynamic table from the next header block on.
func (c *Conn) EncoderTable(size uint32) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.encoder.SetMaxDynamicTableSize(size)
}

// Block sends a ready-made header block.
func (c *Conn) Block(stream uint32, end bool, block []byte) {
	c.write(func(f *http2.Framer) error {
		return f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndStream: end, EndHeaders: true})
	})
}

// Data sends DATA in frames of at most 16 KiB, whatever the window.
func (c *Conn) Data(stream uint32, end bool, data []byte) {
	c.write(func(f *http2.Framer) error {
		for len(data) > 16384 {
			if err := f.WriteData(stream, false, data[:16384]); err != nil {
				return err
			}
			data = data[16384:]
		}
		return f.WriteData(stream, end, data)
	})
}

// Send is Data within the peer's windows: it waits for room, and tells how much it sent when the stream or the connection
// ended, or no room came, before all was sent.
func (c *Conn) Send(stream uint32, end bool, data []byte, patience time.Duration) int {
	total := len(data)
	for {
		room, changed := c.room(stream)
		if room == 0 && len(data) > 0 {
			select {
			case <-changed:
				continue
			case <-time.After(patience):
				return total - len(data)
			}
		}
		if room < 0 {
			return total - len(data)
		}
		piece := data[:min(int64(len(data)), room, 16384)]
		data = data[len(piece):]
		c.mu.Lock()
		c.sent[0] += int64(len(piece))
		c.sent[stream] += int64(len(piece))
		c.mu.Unlock()
		c.write(func(f *http2.Framer) error { return f.WriteData(stream, end && len(data) == 0, piece) })
		if len(data) == 0 {
			return total
		}
	}
}

// SendPadded sends one DATA frame with padding, once all of it has room; false if none came.
func (c *Conn) SendPadded(stream uint32, data []byte, padding int, patience time.Duration) bool {
	cost := int64(len(data) + padding + 1)
	for {
		room, changed := c.room(stream)
		if room >= cost {
			break
		}
		select {
		case <-changed:
		case <-time.After(patience):
			return false
		}
	}
	c.mu.Lock()
	c.sent[0] += cost
	c.sent[stream] += cost
	c.mu.Unlock()
	c.write(func(f *http2.Framer) error { return f.WriteDataPadded(stream, false, data, make([]byte, padding)) })
	return true
}

// room is how much may be sent now, below 0 when the connection has ended, and what to wait for if it is 0.
func (c *Conn) room(stream uint32) (int64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed.IsZero() || c.windows[stream] < 0 {
		return -1, c.changed
	}
	return max(0, min(65535+c.windows[0]-c.sent[0], c.initial+c.windows[stream]-c.sent[stream])), c.changed
}

// account keeps the windows; a reset stream has none.
func (c *Conn) account(f Frame) {
	switch f.Type {
	case http2.FrameWindowUpdate:
		c.windows[f.Stream] += int64(f.Step)
	case http2.FrameRSTStream:
		c.windows[f.Stream] = -1 << 40
	case http2.FrameSettings:
		for _, s := range f.Settings {
			if s.ID == http2.SettingInitialWindowSize {
				c.initial = int64(s.Val)
			}
		}
	}
}

// Reset sends RST_STREAM.
func (c *Conn) Reset(stream uint32, code http2.ErrCode) {
	c.write(func(f *http2.Framer) error { return f.WriteRSTStream(stream, code) })
}

// GoAway sends GOAWAY.
func (c *Conn) GoAway(last uint32, code http2.ErrCode) {
	c.write(func(f *http2.Framer) error { return f.WriteGoAway(last, code, nil) })
}

// Window sends WINDOW_UPDATE; stream 0 is the connection.
func (c *Conn) Window(stream, step uint32) {
	c.write(func(f *http2.Framer) error { return f.WriteWindowUpdate(stream, step) })
}

// Settings sends a SETTINGS frame.
func (c *Conn) Settings(settings ...http2.Setting) {
	c.write(func(f *http2.Framer) error { return f.WriteSettings(settings...) })
}

// PingWait sends a PING and waits for its answer: all that was sent before has then been read.
func (c *Conn) PingWait() {
	c.t.Helper()
	payload := [8]byte{'p', 'i', 'n', 'g', byte(time.Now().UnixNano()), byte(time.Now().UnixNano() >> 8), 1, 2}
	c.write(func(f *http2.Framer) error { return f.WritePing(false, payload) })
	c.Want("PING answer", func(f Frame) bool {
		return f.Type == http2.FramePing && f.Flags.Has(http2.FlagPingAck) && bytes.Equal(f.Data, payload[:])
	})
}

// Raw sends bytes as they are.
func (c *Conn) Raw(data []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	_, err := c.Net.Write(data)
	c.wrote(err)
}

// Close closes the connection.
func (c *Conn) Close() { c.Net.Close() }

func (c *Conn) write(f func(*http2.Framer) error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.wrote(f(c.framer))
}

// wrote ignores errors: a peer that hangs up is seen by the reader, and the test judges it there.
func (c *Conn) wrote(error) {}

func (c *Conn) read() {
	decoder := hpack.NewDecoder(c.tableSize(), nil)
	for {
		f, err := c.readFrame(decoder)
		if err != nil {
			c.mu.Lock()
			c.err, c.closed = err, time.Now()
			close(c.changed)
			c.changed = make(chan struct{})
			c.mu.Unlock()
			return
		}
		c.mu.Lock()
		c.log = append(c.log, f)
		c.account(f)
		close(c.changed)
		c.changed = make(chan struct{})
		paused := c.paused
		c.mu.Unlock()
		c.react(f)
		if paused != nil {
			<-paused
		}
	}
}

// trickle is a connection that writes each byte by itself.
type trickle struct{ net.Conn }

func (t trickle) Write(p []byte) (int, error) {
	for i := range p {
		if n, err := t.Conn.Write(p[i : i+1]); err != nil {
			return i + n, err
		}
	}
	return len(p), nil
}

// tableSize is what our SETTINGS allow the peer's encoder.
func (c *Conn) tableSize() uint32 {
	for _, s := range c.does.Settings {
		if s.ID == http2.SettingHeaderTableSize {
			return max(s.Val, 4096) // until they are acknowledged the default holds
		}
	}
	return 4096
}

func (c *Conn) readFrame(decoder *hpack.Decoder) (Frame, error) {
	raw, err := c.framer.ReadFrame()
	if err != nil {
		return Frame{}, err
	}
	head := raw.Header()
	f := Frame{At: time.Now(), Type: head.Type, Flags: head.Flags, Stream: head.StreamID}
	switch raw := raw.(type) {
	case *http2.HeadersFrame:
		block := append([]byte(nil), raw.HeaderBlockFragment()...)
		for ended := raw.HeadersEnded(); !ended; {
			next, err := c.framer.ReadFrame()
			if err != nil {
				return f, err
			}
			more, ok := next.(*http2.ContinuationFrame)
			if !ok {
				return f, fmt.Errorf("%v inside a header block", next)
			}
			block, ended = append(block, more.HeaderBlockFragment()...), more.HeadersEnded()
		}
		f.Fields, err = decoder.DecodeFull(block)
	case *http2.DataFrame:
		f.Data = append([]byte(nil), raw.Data()...)
	case *http2.RSTStreamFrame:
		f.Code = raw.ErrCode
	case *http2.GoAwayFrame:
		f.Code, f.Last, f.Data = raw.ErrCode, raw.LastStreamID, append([]byte(nil), raw.DebugData()...)
	case *http2.WindowUpdateFrame:
		f.Step = raw.Increment
	case *http2.PingFrame:
		f.Data = append([]byte(nil), raw.Data[:]...)
	case *http2.SettingsFrame:
		err = raw.ForeachSetting(func(s http2.Setting) error {
			f.Settings = append(f.Settings, s)
			return nil
		})
	case *http2.ContinuationFrame:
		err = errors.New("CONTINUATION outside of a header block")
	}
	return f, err
}

func (c *Conn) react(f Frame) {
	switch {
	case f.Type == http2.FrameSettings && !f.Flags.Has(http2.FlagSettingsAck) && !c.does.NoAck:
		c.write(func(w *http2.Framer) error { return w.WriteSettingsAck() })
	case f.Type == http2.FramePing && !f.Flags.Has(http2.FlagPingAck) && !c.does.NoAck:
		c.write(func(w *http2.Framer) error { return w.WritePing(true, [8]byte(f.Data)) })
	case f.Type == http2.FrameData && len(f.Data) > 0 && !c.does.KeepWindow:
		c.Window(0, uint32(len(f.Data)))
		if !f.End() {
			c.Window(f.Stream, uint32(len(f.Data)))
		}
	}
	if c.does.OnFrame != nil {
		c.does.OnFrame(c, f)
	}
}
