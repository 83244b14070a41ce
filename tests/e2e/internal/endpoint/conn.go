package endpoint

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const streamsMax = 1000 // announced, unless Options say otherwise

type conn struct {
	server *Server
	nc     *net.TCPConn

	reader  *bufio.Reader
	streams map[uint32]*request // being read
	got     uint32              // DATA not yet given back to the connection's window

	writing sync.Mutex
	writer  *bufio.Writer
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer

	mu      sync.Mutex
	deaf    bool
	last    uint32 // the newest stream that is served
	serving int
	drained chan struct{} // made by goAway, closed when nothing is served any more
}

type request struct {
	path, previous string
	data           []byte
}

func newConn(s *Server, nc *net.TCPConn) *conn {
	c := &conn{server: s, nc: nc, reader: bufio.NewReader(nc), writer: bufio.NewWriter(nc), streams: map[uint32]*request{}}
	c.framer = http2.NewFramer(c.writer, c.reader)
	c.framer.SetReuseFrames()
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	return c
}

func (c *conn) read() {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(c.reader, preface); err != nil || string(preface) != http2.ClientPreface {
		return
	}
	streams := cmp.Or(c.server.options.Streams, streamsMax)
	c.speak(func() error {
		return c.framer.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: streams})
	})
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return
		}
		c.take(frame)
	}
}

func (c *conn) take(frame http2.Frame) {
	id := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		r := &request{path: frame.PseudoValue("path")}
		for _, field := range frame.RegularFields() {
			if field.Name == "grpc-previous-rpc-attempts" {
				r.previous = field.Value
			}
		}
		c.streams[id] = r
		if frame.StreamEnded() {
			c.whole(id, r)
		}
	case *http2.DataFrame:
		c.takeData(id, frame)
	case *http2.RSTStreamFrame:
		delete(c.streams, id)
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			c.speak(c.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if data := frame.Data; !frame.IsAck() {
			c.speak(func() error { return c.framer.WritePing(true, data) })
		}
	}
}

func (c *conn) takeData(id uint32, frame *http2.DataFrame) {
	if c.got += frame.Length; c.got > 16384 {
		step := c.got
		c.got = 0
		c.speak(func() error { return c.framer.WriteWindowUpdate(0, step) })
	}
	r := c.streams[id]
	if r == nil {
		return
	}
	r.data = append(r.data, frame.Data()...)
	if frame.StreamEnded() {
		c.whole(id, r)
	}
}

// whole decides about a request once it has all come.
func (c *conn) whole(id uint32, r *request) {
	delete(c.streams, id)
	body := string(r.data[min(5, len(r.data)):])
	fault, mode := c.server.arrived(r.path, body, r.previous)
	if !c.enter(id) || fault == BlackHole {
		return
	}
	switch {
	case fault == Refuse:
		c.resetStream(id, http2.ErrCodeRefusedStream)
		c.leave()
	case fault == FailHeaders && !mode.Executes:
		c.fail(id, mode, false)
		c.leave()
	case c.server.queue != nil:
		served := c.server.queue.put(func() {
			c.finish(id, r.path, body, fault, mode)
			c.leave()
		})
		if !served {
			c.fail(id, mode, false)
			c.leave()
		}
	default:
		takes := c.server.service()
		if fault == Slow {
			takes += mode.Delay
		}
		time.AfterFunc(takes, func() {
			c.finish(id, r.path, body, fault, mode)
			c.leave()
		})
	}
}

// finish executes and answers.
func (c *conn) finish(id uint32, path, body string, fault Fault, mode *Mode) {
	fails := fault == FailHeaders || fault == FailTrailers
	if !fails || mode.Executes {
		if err := c.server.execute(path, body); err != nil {
			c.nc.Close() // nothing is known: so say nothing
			return
		}
	}
	switch {
	case fails:
		c.fail(id, mode, fault == FailTrailers)
	case fault == Reset:
		_ = c.nc.SetLinger(0)
		c.nc.Close()
	case fault == ResetStream:
		c.resetStream(id, http2.ErrCodeInternal)
	default:
		c.answer(id, body)
	}
}

// enter tells if the connection still takes requests, and counts this one.
func (c *conn) enter(id uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.deaf && id > c.last {
		return false
	}
	c.last = max(c.last, id)
	c.serving++
	return true
}

func (c *conn) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving--
	if c.drained != nil && c.deaf && c.serving == 0 {
		close(c.drained)
		c.drained = nil
	}
}

func (c *conn) goAway(deaf time.Duration) {
	if deaf == 0 {
		c.write(func() error { return c.framer.WriteGoAway(1<<31-1, http2.ErrCodeNo, nil) })
		time.Sleep(20 * time.Millisecond) // a round trip and more
	}
	c.mu.Lock()
	c.deaf = true
	c.mu.Unlock()
	time.Sleep(deaf)
	c.mu.Lock()
	last, drained := c.last, make(chan struct{})
	if c.serving > 0 {
		c.drained = drained
	} else {
		close(drained)
	}
	c.mu.Unlock()
	c.write(func() error { return c.framer.WriteGoAway(last, http2.ErrCodeNo, nil) })
	select {
	case <-drained:
	case <-time.After(2 * time.Second):
	}
	// The caller closes first when all is answered, and loses nothing of what is on its way.
	_ = c.nc.CloseWrite()
	time.AfterFunc(time.Second, func() { c.nc.Close() })
}

func (c *conn) answer(id uint32, body string) {
	message := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
	c.write(func() error {
		if err := c.headers(id, false, ":status", "200", "content-type", "application/grpc"); err != nil {
			return err
		}
		if err := c.framer.WriteData(id, false, message); err != nil {
			return err
		}
		return c.headers(id, true, "grpc-status", "0")
	})
}

// fail answers UNAVAILABLE: trailers-only, or with headers before it.
func (c *conn) fail(id uint32, mode *Mode, inTrailers bool) {
	status := []string{"grpc-status", "14", "grpc-message", "scripted"}
	if mode.Pushback != "" {
		status = []string{"grpc-status", "14", "grpc-message", PushbackMessage + mode.Pushback, "grpc-retry-pushback-ms", mode.Pushback}
	}
	head := []string{":status", "200", "content-type", "application/grpc"}
	c.write(func() error {
		if !inTrailers {
			return c.headers(id, true, append(head, status...)...)
		}
		if err := c.headers(id, false, head...); err != nil {
			return err
		}
		return c.headers(id, true, status...)
	})
}

func (c *conn) resetStream(id uint32, code http2.ErrCode) {
	c.write(func() error { return c.framer.WriteRSTStream(id, code) })
}

// headers writes one block of names and values; the caller holds `writing`.
func (c *conn) headers(id uint32, end bool, fields ...string) error {
	c.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := c.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			return err
		}
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: c.block.Bytes(), EndStream: end, EndHeaders: true,
	})
}

// speak writes frames of the connection itself, unless the endpoint is a black hole.
func (c *conn) speak(frames func() error) {
	if c.server.mode.Load().Fault != BlackHole {
		c.write(frames)
	}
}

// write sends frames; that the connection is gone the reader sees.
func (c *conn) write(frames func() error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	if frames() == nil {
		_ = c.writer.Flush()
	}
}
