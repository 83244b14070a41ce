package abuse

import (
	"fmt"
	"testing"
	"time"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
)

// flood is an attack by many frames of one kind.
type flood struct {
	name     string
	counters []string
	frames   int                                        // of one connection
	prelude  []byte                                     // before them, behind the preface
	add      func(b []byte, i int) []byte               // frame number i, from 0
	step     int                                        // of a probe: so many frames between two looks at the connection
	block    bool                                       // inside a header block, where a PING may not stand
	closed   int                                        // the probe: closed by so many frames
	streams  func(a *peer.Attacker) (last int, ok bool) // instead: closed at so many streams, as GOAWAY says
	attempts int                                        // most attempts upstream of one connection, 0: not looked at

	burst, perSecond int // of the budget that `streams` meets
}

// run blasts the flood from one connection after the other with reading, then without, and then step by step to see where
// it is cut.
func (f flood) run(t *testing.T) {
	for _, silent := range []bool{false, true} {
		name := "reading"
		if silent {
			name = "silent"
		}
		t.Run(name, func(t *testing.T) { f.blast(t, silent) })
	}
}

func (f flood) blast(t *testing.T, silent bool) {
	s := stage(t, "", "")
	s.twin = true
	bytes := append([]byte{}, f.prelude...)
	for i := range f.frames {
		bytes = f.add(bytes, i)
	}
	streams, connections, worst := 0, 0, ""
	s.under(func() time.Duration {
		var cost time.Duration
		streams, connections = 0, 0
		for end := time.Now().Add(sized(200*time.Millisecond, 5*time.Second)); connections == 0 || time.Now().Before(end); connections++ {
			a := peer.Attack(t, s.address, peer.Options{Silent: silent})
			began := time.Now()
			a.Run(func() { blast(a, bytes) })
			if !a.WaitEnd(peer.Patience) {
				t.Fatalf("the connection lives after %d frames", f.frames)
			}
			if !silent && f.streams != nil {
				last, ok := f.streams(a)
				streams = max(streams, last)
				if !ok {
					t.Fatal("closed without GOAWAY")
				}
				if took := a.EndedAt().Sub(began); last < f.closed || last > f.closed+regained(took, f.burst, f.perSecond) {
					worst = fmt.Sprintf("closed at %d streams after %v, at %d expected", last, took, f.closed)
				}
			}
			cost += a.CPU()
			a.Close()
		}
		return cost
	})
	if total, _, _ := s.endpoint.Attempts(); f.attempts > 0 && total > f.attempts*connections {
		t.Errorf("%d attempts at the endpoint for each connection, at most %d expected", total/connections, f.attempts)
	}
	eventually(t, peer.Patience, "all attempts are gone", func() bool { _, alive, _ := s.endpoint.Attempts(); return alive == 0 })
	closed := ""
	switch {
	case f.streams != nil && !silent:
		closed = fmt.Sprintf("%d streams", streams)
		if worst != "" {
			t.Error(worst)
		}
	case !silent:
		closed = fmt.Sprintf("%d frames", f.probe(t, s))
	default:
		closed = "yes"
	}
	s.judge(closed, grownMaxKiB, f.counters...)
}

// blast writes in pieces until all is written or the peer has gone.
func blast(a *peer.Attacker, b []byte) {
	for deadline := time.Now().Add(peer.Patience); len(b) > 0 && a.SendBy(b[:min(len(b), 64<<10)], deadline); {
		b = b[min(len(b), 64<<10):]
	}
}

// probe sends frames in steps and tells at how many the connection was closed, to a step.
func (f flood) probe(t *testing.T, s *scene) int {
	a := peer.Attack(t, s.address, peer.Options{})
	sent, step := 0, max(1, f.step)
	b := append([]byte{}, f.prelude...)
	for ; sent < f.closed+2*step; sent += step {
		for i := range step {
			b = f.add(b, sent+i)
		}
		if !a.Send(b) || !f.taken(a) {
			return sent + step
		}
		b = b[:0]
	}
	if !a.WaitEnd(time.Second) {
		t.Errorf("the connection lives after %d frames, expected its end by %d", sent, f.closed)
	}
	return sent
}

// taken waits until the frames have been read, and tells if the connection lives.
func (f flood) taken(a *peer.Attacker) bool {
	if f.block {
		return !a.WaitEnd(4 * time.Millisecond)
	}
	return a.Barrier()
}

func lastStream(a *peer.Attacker) (int, bool) {
	id, _, ok := a.GoAway()
	return int(id+1) / 2, ok
}

var (
	hang  = frames.Block(frames.Request(peer.Hang)...)
	quick = frames.Block(frames.Request(peer.Quick)...)
	open1 = frames.Append(nil, frames.Headers, frames.EndHeaders, 1, hang)
)

func repeated(kind, flags byte, stream uint32, payload []byte) func([]byte, int) []byte {
	return func(b []byte, _ int) []byte { return frames.Append(b, kind, flags, stream, payload) }
}

// regained is what a budget may get back in a time: a fifth of its burst at once.
func regained(took time.Duration, burst, perSecond int) int {
	portion := burst / 5
	return portion * int(took*time.Duration(perSecond)/time.Second/time.Duration(portion))
}

// TestA3RapidReset opens streams and resets each at once (CVE-2023-44487). The budget is 500: the 501st is the last.
func TestA3RapidReset(t *testing.T) {
	first, again := frames.Repeater(frames.Request(peer.Hang)...)
	flood{counters: []string{"premature_resets"}, frames: sized(20000, 100000), closed: 501, streams: lastStream, burst: 500, perSecond: 1000, attempts: 100,
		add: func(b []byte, i int) []byte {
			block := again
			if i == 0 {
				block = first
			}
			id := uint32(2*i + 1)
			b = frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, id, block)
			return frames.Append(b, frames.ResetStream, 0, id, frames.Word(8))
		}}.run(t)
}

// TestA6ContinuationFlood sends CONTINUATION without end (CVE-2024-27316).
func TestA6ContinuationFlood(t *testing.T) {
	start := frames.Append(nil, frames.Headers, 0, 1, hang)
	full16 := make([]byte, 0, 16384)
	for len(full16)+7 < 16384 {
		full16 = frames.Literal(full16, "x", "yz")
	}
	for _, f := range []flood{
		{name: "Empty", add: repeated(frames.Continuation, 0, 1, nil), closed: 64},
		{name: "OneField", add: repeated(frames.Continuation, 0, 1, frames.Literal(nil, "a", "b")), closed: 65},
		{name: "Full", add: repeated(frames.Continuation, 0, 1, full16), closed: 5},
	} {
		f.counters = []string{"continuations", "header_flood", "empty_frames"}
		f.prelude, f.block, f.frames = start, true, sized(20000, 100000)
		if f.name == "Full" {
			f.frames = sized(100, 2000)
		}
		t.Run(f.name, f.run)
	}
}

// TestA10Floods sends frames of one kind without end (CVE-2019-9512 to 9518).
func TestA10Floods(t *testing.T) {
	for _, f := range []flood{
		{name: "Ping", add: repeated(frames.Ping, 0, 0, []byte("12345678")), closed: 1100, step: 20, counters: []string{"pings"}},
		{name: "Settings", add: repeated(frames.Settings, 0, 0, nil), closed: 1100, step: 20, counters: []string{"settings_frames"}},
		{name: "Priority", add: repeated(frames.Priority, 0, 1, make([]byte, 5)), closed: 1100, step: 20, counters: []string{"priority_frames"}},
		{name: "WindowUpdate", add: repeated(frames.WindowUpdate, 0, 0, frames.Word(1)), closed: 1100, step: 20, counters: []string{"window_updates"}},
		{name: "WindowUpdateStream", add: repeated(frames.WindowUpdate, 0, 1, frames.Word(1)), closed: 1100, step: 20, counters: []string{"window_updates"}},
		{name: "Unknown", add: repeated(frames.Unknown, 0, 1, []byte("x")), closed: 2100, step: 50, counters: []string{"unknown_frames"}},
		{name: "EmptyData", add: repeated(frames.Data, 0, 1, nil), closed: 12, counters: []string{"empty_frames"}},
		{name: "OneByteData", add: repeated(frames.Data, 0, 1, []byte("x")), closed: 1100, step: 20, counters: []string{"small_data"}},
		{name: "PaddedData", add: repeated(frames.Data, frames.Padded, 1, append([]byte{200}, make([]byte, 200)...)), closed: 12, counters: []string{"empty_frames"}},
		{name: "GoAway", add: repeated(frames.GoAway, 0, 0, make([]byte, 8)), closed: 1100, step: 20},
		{name: "ResetClosed", add: repeated(frames.ResetStream, 0, 1, frames.Word(8)), closed: 1100, step: 20},
	} {
		f.counters = append(f.counters, "glitches", "queued_control_frames", "queued_frames")
		f.frames, f.prelude = sized(50000, 200000), open1
		t.Run(f.name, f.run)
	}
}

// TestA11Settings has many entries in one frame, and flips of the initial window with streams open.
func TestA11Settings(t *testing.T) {
	var many []byte
	for range 2400 {
		many = append(many, frames.Setting(4, 65535)...)
	}
	var streams []byte
	first, again := frames.Repeater(frames.Request(peer.Big)...)
	for i := range 100 {
		streams = frames.Append(streams, frames.Headers, frames.EndHeaders|frames.EndStream, uint32(2*i+1), first)
		first = again
	}
	for _, f := range []flood{
		{name: "Entries", add: repeated(frames.Settings, 0, 0, many), closed: 1},
		{name: "Flips", prelude: streams, closed: 1100, step: 20, add: func(b []byte, i int) []byte {
			return frames.Append(b, frames.Settings, 0, 0, frames.Setting(4, uint32(i%2)*(1<<31-1)))
		}},
	} {
		f.frames, f.counters = sized(20000, 100000), []string{"settings_entries", "settings_frames", "glitches", "queued_frames"}
		if f.name == "Entries" {
			f.frames = 100
		}
		t.Run(f.name, f.run)
	}
}

// TestA11HonestFlips changes the initial window ten times a second, which an honest peer may do.
func TestA11HonestFlips(t *testing.T) {
	s := stage(t, "", "")
	a := peer.Attack(t, s.address, peer.Options{Track: true})
	s.under(func() time.Duration {
		a.Run(func() {
			for i := range 100 {
				a.Open(uint32(2*i+1), true, frames.Block(frames.Request(peer.Hang)...))
			}
			for i := range sized(10, 100) {
				a.Frame(frames.Settings, 0, 0, frames.Setting(4, uint32(i%2)*65535))
				time.Sleep(100 * time.Millisecond)
			}
		})
		return a.CPU()
	})
	if !a.Barrier() || a.Resets() > 0 {
		t.Errorf("the connection or its streams were cut: %d resets", a.Resets())
	}
	s.judge("no", grownMaxKiB)
}
