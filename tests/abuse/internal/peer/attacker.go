// Package peer has the three peers of an attack: the attacker, the endpoint behind the proxy, and the clean neighbour.
// Each counts what it sees; none keeps frames, so that hundreds of thousands of them cost nothing here.
package peer

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/sys/unix"

	"outrigger/tests/e2e/abuse/internal/frames"
)

// Patience is how long a peer waits for what must come.
const Patience = 10 * time.Second

// Attacker is one connection that sends what it is told. Its reading and its Run use threads of their own, whose time is
// counted.
type Attacker struct {
	Options
	nc net.Conn

	seen    [256]atomic.Int64 // frames received, by type
	pongs   atomic.Int64
	lastID  atomic.Int64 // of the last GOAWAY, -1: none came
	code    atomic.Int64
	ended   chan struct{} // reading is over
	endedAt time.Time
	cpu     atomic.Int64
	reader  atomic.Int32 // thread that reads

	mu      sync.Mutex
	resets  map[uint32]time.Time
	ends    map[uint32]time.Time
	data    map[uint32]int
	window  map[uint32]int64 // given by WINDOW_UPDATE; 0: the connection
	sent    map[uint32]int64 // by Upload
	changed chan struct{}
}

// Options of an Attacker.
type Options struct {
	Silent   bool   // never reads
	Settings []byte // payload of its SETTINGS
	Track    bool   // remembers resets, ends and bytes by stream
	Bare     bool   // sends no preface
}

// Attack connects and sends the preface.
func Attack(t testing.TB, address string, options Options) *Attacker {
	t.Helper()
	a, err := TryAttack(address, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	return a
}

// TryAttack is Attack for a caller that can live with failure; it must Close.
func TryAttack(address string, options Options) (*Attacker, error) {
	nc, err := net.DialTimeout("tcp", address, Patience)
	if err != nil {
		return nil, err
	}
	a := &Attacker{Options: options, nc: nc, ended: make(chan struct{}), resets: map[uint32]time.Time{},
		ends: map[uint32]time.Time{}, data: map[uint32]int{},
		window: map[uint32]int64{}, sent: map[uint32]int64{}, changed: make(chan struct{})}
	a.lastID.Store(-1)
	a.code.Store(-1)
	if !options.Bare {
		a.Send(frames.Append([]byte(http2.ClientPreface), frames.Settings, 0, 0, options.Settings))
	}
	if options.Silent {
		return a, nil
	}
	go a.read()
	if !options.Bare && a.wait(Patience, func() bool { return a.Seen(frames.Settings) > 0 }) {
		// here, as later it could fall into the midst of a frame; and the connection's window shall hold no answer up
		a.Send(frames.Append(frames.Append(nil, frames.Settings, frames.Ack, 0, nil), frames.WindowUpdate, 0, 0, frames.Word(1<<30)))
	}
	return a, nil
}

// Send writes bytes; false when the connection is gone.
func (a *Attacker) Send(b []byte) bool {
	_, err := a.nc.Write(b)
	return err == nil
}

// SendBy is Send that gives up at a moment, for a peer that does not read.
func (a *Attacker) SendBy(b []byte, deadline time.Time) bool {
	_ = a.nc.SetWriteDeadline(deadline)
	return a.Send(b)
}

// Frame sends one frame.
func (a *Attacker) Frame(kind, flags byte, stream uint32, payload []byte) bool {
	return a.Send(frames.Append(nil, kind, flags, stream, payload))
}

// Open sends a request without a body.
func (a *Attacker) Open(stream uint32, end bool, block []byte) bool {
	flags := byte(frames.EndHeaders)
	if end {
		flags |= frames.EndStream
	}
	return a.Frame(frames.Headers, flags, stream, block)
}

// Close ends the connection.
func (a *Attacker) Close() { a.nc.Close() }

// Run does work on a thread of its own and counts its time.
func (a *Attacker) Run(work func()) { a.cpu.Add(int64(OnThread(work))) }

// CPU is what the attack has cost the attacker so far, its reading included.
func (a *Attacker) CPU() time.Duration {
	cost := time.Duration(a.cpu.Load())
	if thread := a.reader.Load(); thread != 0 {
		cost += timeOf(^thread<<3 | perThreadClock)
	}
	return cost
}

// perThreadClock makes the clock of a thread's computing of its number (clock_getcpuclockid of the C library).
const perThreadClock = 6

// OnThread runs work on one thread and tells the time that it computed.
func OnThread(work func()) time.Duration {
	done := make(chan time.Duration, 1)
	go func() {
		aside()
		before := threadTime()
		defer func() { done <- threadTime() - before }() // even when a failed check ends the goroutine
		work()
	}()
	return <-done
}

// aside gives the goroutine a thread of its own, which ends with it and takes only the time that others leave: attackers
// have machines of their own, and what they do to the neighbour shall be the proxy's doing alone.
func aside() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 19)
}

func threadTime() time.Duration { return timeOf(unix.CLOCK_THREAD_CPUTIME_ID) }

func timeOf(clock int32) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(clock, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// Ended tells if the peer has closed the connection.
func (a *Attacker) Ended() bool {
	if a.Silent {
		return a.hungUp()
	}
	select {
	case <-a.ended:
		return true
	default:
		return false
	}
}

// hungUp asks the kernel, for a peer that does not read.
func (a *Attacker) hungUp() bool {
	raw, err := a.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, _ := unix.Poll(fds, 0)
		gone = n > 0 && fds[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
	})
	return gone || err != nil
}

// WaitEnd waits until the peer has closed; false when it did not in time.
func (a *Attacker) WaitEnd(within time.Duration) bool {
	if a.Silent {
		for end := time.Now().Add(within); !a.hungUp(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				return false
			}
		}
		return true
	}
	select {
	case <-a.ended:
		return true
	case <-time.After(within):
		return false
	}
}

// EndedAt is when the peer closed; after WaitEnd.
func (a *Attacker) EndedAt() time.Time { return a.endedAt }

// Seen is how many frames of a type came.
func (a *Attacker) Seen(kind byte) int { return int(a.seen[kind].Load()) }

// GoAway is the last GOAWAY; ok false: none came.
func (a *Attacker) GoAway() (lastID uint32, code http2.ErrCode, ok bool) {
	id := a.lastID.Load()
	return uint32(id), http2.ErrCode(a.code.Load()), id >= 0
}

// Barrier sends a PING and waits until it is answered, that is until all before it has been read; false when the
// connection ended or no answer came.
func (a *Attacker) Barrier() bool {
	want := a.pongs.Load() + 1
	if !a.Frame(frames.Ping, 0, 0, []byte("barrier!")) {
		return false
	}
	return a.wait(Patience, func() bool { return a.pongs.Load() >= want })
}

// Reset waits for RST_STREAM on a stream, and tells when it came.
func (a *Attacker) Reset(stream uint32, within time.Duration) (time.Time, bool) {
	var at time.Time
	ok := a.wait(within, func() bool {
		var ok bool
		at, ok = a.resets[stream]
		return ok
	})
	return at, ok
}

// End waits for END_STREAM or RST_STREAM on a stream.
func (a *Attacker) End(stream uint32, within time.Duration) bool {
	return a.wait(within, func() bool { return !a.ends[stream].IsZero() || !a.resets[stream].IsZero() })
}

// Upload sends up to n bytes on a stream, as far as the windows of this moment go, and tells how many.
func (a *Attacker) Upload(stream uint32, n int) int {
	a.mu.Lock()
	n = int(min(int64(n), 65535+a.window[0]-a.sent[0], 65535+a.window[stream]-a.sent[stream]))
	a.sent[0] += int64(n)
	a.sent[stream] += int64(n)
	a.mu.Unlock()
	var zero [16384]byte
	for left := n; left > 0; left -= min(left, len(zero)) {
		if !a.Frame(frames.Data, 0, stream, zero[:min(left, len(zero))]) {
			return n - left
		}
	}
	return n
}

// Resets is how many streams were reset, and Ends how many ended in order.
func (a *Attacker) Resets() int { return a.sizes().resets }
func (a *Attacker) Ends() int   { return a.sizes().ends }

// Wait waits for a condition of what was received, which may ask ResetTimesLocked and Seen alone; false when the connection ended or time was over without it.
func (a *Attacker) Wait(within time.Duration, ok func() bool) bool { return a.wait(within, ok) }

// ResetTimesLocked is for the condition of Wait.
func (a *Attacker) ResetTimesLocked() map[uint32]time.Time { return a.resets }

// ResetTimes are when streams were reset.
func (a *Attacker) ResetTimes() map[uint32]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[uint32]time.Time{}
	for id, at := range a.resets {
		out[id] = at
	}
	return out
}

// Bytes is how much DATA came on a stream.
func (a *Attacker) Bytes(stream uint32) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.data[stream]
}

type sizes struct{ resets, ends int }

func (a *Attacker) sizes() sizes {
	a.mu.Lock()
	defer a.mu.Unlock()
	return sizes{len(a.resets), len(a.ends)}
}

func (a *Attacker) wait(within time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for {
		a.mu.Lock()
		met, changed := ok(), a.changed
		a.mu.Unlock()
		if met {
			return true
		}
		select {
		case <-changed:
		case <-a.ended:
			a.mu.Lock()
			defer a.mu.Unlock()
			return ok()
		case <-deadline.C:
			return false
		}
	}
}

func (a *Attacker) read() {
	aside()
	a.cpu.Add(-int64(threadTime())) // the thread has done other work before
	a.reader.Store(int32(unix.Gettid()))
	r := bufio.NewReaderSize(a.nc, 64<<10)
	var head [frames.HeadBytes]byte
	var payload []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			break
		}
		n := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if n > len(payload) {
			payload = make([]byte, n)
		}
		if _, err := io.ReadFull(r, payload[:n]); err != nil {
			break
		}
		a.take(head[3], head[4], binary.BigEndian.Uint32(head[5:]), payload[:n])
	}
	a.endedAt = time.Now()
	a.cpu.Add(int64(threadTime()))
	a.reader.Store(0)
	close(a.ended)
}

func (a *Attacker) take(kind, flags byte, stream uint32, payload []byte) {
	a.seen[kind].Add(1)
	switch kind {
	case frames.Settings:
		a.notify(func() {})
	case frames.Ping:
		if flags&frames.Ack != 0 {
			a.pongs.Add(1)
			a.notify(func() {})
		}
	case frames.GoAway:
		if len(payload) >= 8 {
			a.code.Store(int64(binary.BigEndian.Uint32(payload[4:])))
			a.lastID.Store(int64(binary.BigEndian.Uint32(payload) & 0x7fffffff))
		}
		a.notify(func() {})
	case frames.ResetStream:
		if a.Track {
			a.notify(func() { a.resets[stream] = time.Now() })
		}
	case frames.WindowUpdate:
		a.notify(func() { a.window[stream] += int64(binary.BigEndian.Uint32(payload)) })
	case frames.Data, frames.Headers:
		if a.Track {
			a.notify(func() {
				if kind == frames.Data {
					a.data[stream] += len(payload)
				}
				if flags&frames.EndStream != 0 {
					a.ends[stream] = time.Now()
				}
			})
		}
	}
}

func (a *Attacker) notify(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	close(a.changed)
	a.changed = make(chan struct{})
}
