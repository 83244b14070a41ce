package peer

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
)

// Rate is how many calls a second a neighbour makes.
const Rate = 200

// inFlightMax keeps a neighbour below the streams that a connection may have, as every client does: further calls wait.
const inFlightMax = 90

// Neighbour is a clean caller on a connection of its own: Rate calls a second, whether they are answered or not.
type Neighbour struct {
	nc    net.Conn
	block []byte
	stop  chan struct{}
	done  chan struct{}

	mu    sync.Mutex
	sent  map[uint32]time.Time
	took  []time.Duration
	lost  int
	why   string
	ended bool
}

// Calls sums up a time of a Neighbour.
type Calls struct {
	Made, Lost int
	P99        time.Duration
	Why        string // of the first that was lost
}

// Meet starts a neighbour; it stops with the test.
func Meet(t testing.TB, address string) *Neighbour {
	t.Helper()
	nc, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		t.Fatal(err)
	}
	n := &Neighbour{nc: nc, block: frames.Block(frames.Request(Clean)...), stop: make(chan struct{}), done: make(chan struct{}),
		sent: map[uint32]time.Time{}}
	if _, err := nc.Write(frames.Append([]byte(http2.ClientPreface), frames.Settings, 0, 0, nil)); err != nil {
		t.Fatal(err)
	}
	go n.read()
	go n.call()
	t.Cleanup(func() { n.Stop() })
	return n
}

// Stop ends the calls, waits for the last answers, and closes.
func (n *Neighbour) Stop() {
	select {
	case <-n.stop:
		return
	default:
	}
	close(n.stop)
	<-n.done
	n.nc.Close()
}

// Lap sums up the calls since the last Lap, after all that were made have been answered, or Patience is over.
func (n *Neighbour) Lap() Calls {
	now := time.Now()
	for end := now.Add(Patience); time.Now().Before(end) && n.waits(now); time.Sleep(time.Millisecond) {
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, at := range n.sent {
		if at.Before(now) {
			n.miss("no answer")
			delete(n.sent, id)
		}
	}
	c := Calls{Made: len(n.took) + n.lost, Lost: n.lost, Why: n.why}
	if len(n.took) > 0 {
		slices.Sort(n.took)
		c.P99 = n.took[len(n.took)*99/100]
	}
	n.took, n.lost, n.why = nil, 0, ""
	return c
}

func (n *Neighbour) waits(before time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, at := range n.sent {
		if at.Before(before) {
			return !n.ended
		}
	}
	return false
}

func (n *Neighbour) inFlight() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return 0
	}
	return len(n.sent)
}

func (n *Neighbour) miss(why string) {
	n.lost++
	if n.why == "" {
		n.why = why
	}
}

func (n *Neighbour) call() {
	defer close(n.done)
	body := frames.Message([]byte("clean"))
	var buf []byte
	next := time.Now()
	for id := uint32(1); ; id += 2 {
		next = next.Add(time.Second / Rate)
		select {
		case <-n.stop:
			return
		case <-time.After(time.Until(next)):
		}
		buf = frames.Append(buf[:0], frames.Headers, frames.EndHeaders, id, n.block)
		buf = frames.Append(buf, frames.Data, frames.EndStream, id, body)
		for n.inFlight() >= inFlightMax {
			select {
			case <-n.stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
		n.mu.Lock()
		n.sent[id] = time.Now()
		n.mu.Unlock()
		_, _ = n.nc.Write(buf) // the reader sees the end
	}
}

func (n *Neighbour) read() {
	r := bufio.NewReader(n.nc)
	status := ""
	decoder := hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if f.Name == "grpc-status" {
			status = f.Value
		}
	})
	var head [frames.HeadBytes]byte
	payload := make([]byte, 1<<14)
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		size, stream := int(head[0])<<16|int(head[1])<<8|int(head[2]), binary.BigEndian.Uint32(head[5:])
		if _, err := io.ReadFull(r, payload[:size]); err != nil {
			break
		}
		switch kind, flags := head[3], head[4]; kind {
		case frames.Headers:
			status = ""
			_, _ = decoder.Write(payload[:size])
			if flags&frames.EndStream != 0 {
				n.answered(stream, status)
			}
		case frames.ResetStream:
			n.answered(stream, "reset")
		case frames.Data: // few bytes a call, but for ever
			_, _ = n.nc.Write(frames.Append(nil, frames.WindowUpdate, 0, 0, frames.Word(uint32(max(1, size)))))
		case frames.Settings:
			if flags&frames.Ack == 0 {
				_, _ = n.nc.Write(frames.Append(nil, frames.Settings, frames.Ack, 0, nil))
			}
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
}

func (n *Neighbour) answered(stream uint32, status string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.sent[stream]
	if !ok {
		return
	}
	delete(n.sent, stream)
	if status == "0" {
		n.took = append(n.took, time.Since(at))
	} else {
		n.miss("grpc-status " + status)
	}
}
