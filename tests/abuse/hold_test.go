package abuse

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
)

// What a stalled stream may cost, the call, its two streams and the pools around them counted; and a stuck upload, whose
// caller has sent a whole window.
const (
	streamMaxKiB = 64
	uploadMaxKiB = 77
	// Of a connection of 100 stalled streams: 1 MiB of data at most, and as above.
	connectionMaxKiB = 1024 + 100*4
)

// TestA12SlowRead asks for answers of 1 MiB and gives no window for them, on many connections.
func TestA12SlowRead(t *testing.T) {
	t.Run("ZeroWindow", func(t *testing.T) { slowRead(t, sized(10, 50), false) })
	t.Run("TwoThousand", func(t *testing.T) { slowRead(t, 20, false) })
	t.Run("ByteByByte", func(t *testing.T) { slowRead(t, sized(5, 50), true) })
}

func slowRead(t *testing.T, connections int, trickle bool) {
	stall := sized(1500*time.Millisecond, 30*time.Second)
	bounds := ""
	if !full() {
		bounds = "bounds: { stalled_stream: 1500ms }\n"
	}
	s := stage(t, crowded, crowdedRules+bounds)
	streams := 100 * connections
	var attackers []*peer.Attacker
	var opened, filled time.Time
	s.under(func() time.Duration {
		for range connections {
			a := peer.Attack(t, s.address, peer.Options{Settings: frames.Setting(4, 0), Track: true})
			attackers = append(attackers, a)
			a.Run(func() {
				var b []byte
				for i := range 100 {
					b = frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, uint32(2*i+1), big)
				}
				a.Send(b)
			})
		}
		opened = time.Now()
		if trickle {
			for round := 0; round < sized(40, 3000) && !attackers[0].Ended(); round++ {
				for _, a := range attackers {
					a.Run(func() {
						var b []byte
						for i := range 100 {
							b = frames.Append(b, frames.WindowUpdate, 0, uint32(2*i+1), frames.Word(1))
						}
						a.Send(b)
					})
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
		if !trickle {
			paused(t, s.endpoint)
			filled = time.Now()
			for _, a := range attackers {
				a.Wait(stall+peer.Patience, func() bool { return len(a.ResetTimesLocked()) == 100 })
			}
		}
		var cost time.Duration
		for _, a := range attackers {
			cost += a.CPU()
		}
		return cost
	})
	perStream := float64(s.row.grownKiB) / float64(streams)
	if perStream > streamMaxKiB {
		t.Errorf("%.1f KiB a stream, at most %d expected", perStream, streamMaxKiB)
	}
	if perConnection := s.row.grownKiB / connections; perConnection > connectionMaxKiB {
		t.Errorf("%d KiB a connection, at most %d expected", perConnection, connectionMaxKiB)
	}
	cut := 0
	for _, a := range attackers {
		for _, at := range a.ResetTimes() {
			cut++
			if !trickle && (at.Before(opened.Add(stall-time.Second)) || at.After(filled.Add(stall+sized(5*time.Second, 1200*time.Millisecond)))) {
				t.Fatalf("a stalled stream was reset after %v, expected %v", at.Sub(opened), stall)
			}
		}
	}
	closed := fmt.Sprintf("%d reset, %.1f KiB each", cut, perStream)
	if trickle { // it moves, and so it is no stalled stream; what it may cost is bounded
		s.judge(fmt.Sprintf("no, %.1f KiB/stream", perStream), streamMaxKiB*streams)
		return
	}
	if cut != streams {
		t.Errorf("%d of %d stalled streams were reset", cut, streams)
	}
	s.judge(closed, streamMaxKiB*streams, "stalled_stream")
}

var big = frames.Block(frames.Request(peer.Big)...)

// paused waits until the endpoint cannot send any more: the proxy reads no further for callers that do not.
func paused(t *testing.T, e *peer.Endpoint) {
	last, since := -1, time.Now()
	eventually(t, sized(peer.Patience, time.Minute), "the endpoint is held up", func() bool {
		if sent := e.Sent(); sent != last {
			last, since = sent, time.Now()
		}
		return last > 0 && time.Since(since) > 200*time.Millisecond
	})
}

// TestA13StuckUploads uploads at full windows to calls whose endpoint does not read.
func TestA13StuckUploads(t *testing.T) {
	connections := sized(10, 100)
	s := stage(t, crowded, crowdedRules)
	s.heavy = true
	block := frames.Block(frames.Request(peer.Stuck)...)
	streams, accepted := 100*connections, 0
	var attackers []*peer.Attacker
	s.under(func() time.Duration {
		var cost time.Duration
		for range connections {
			a := peer.Attack(t, s.address, peer.Options{Track: true})
			attackers = append(attackers, a)
			a.Run(func() {
				for i := range 100 {
					a.Open(uint32(2*i+1), false, block)
				}
			})
		}
		for idle := time.Now(); time.Since(idle) < sized(500*time.Millisecond, 5*time.Second); {
			for _, a := range attackers {
				a.Run(func() {
					for i := range 100 {
						if n := a.Upload(uint32(2*i+1), 1<<20); n > 0 {
							accepted += n
							idle = time.Now()
						}
					}
				})
			}
			time.Sleep(time.Millisecond)
		}
		for _, a := range attackers {
			cost += a.CPU()
		}
		return cost
	})
	perStream := float64(s.row.grownKiB) / float64(streams)
	if perStream > uploadMaxKiB {
		t.Errorf("%.1f KiB a stream, at most %.0f expected", perStream, float64(uploadMaxKiB))
	}
	// what is behind the proxy, and what it holds: a window each
	if most := streams*2*65536 + connections<<20; accepted > most || s.endpoint.Received() > streams*65536 {
		t.Errorf("%d bytes were accepted, at most %d expected; %d came to the endpoint", accepted, most, s.endpoint.Received())
	}
	for _, a := range attackers {
		if a.Ended() {
			t.Error("a connection that kept to its windows was cut")
			break
		}
	}
	s.judge(fmt.Sprintf("no, %.1f KiB/stream", perStream), uploadMaxKiB*streams)
}

// TestHonestSlowUpload sends a message a few bytes at a time.
func TestHonestSlowUpload(t *testing.T) {
	s := stage(t, "", "")
	a := peer.Attack(t, s.address, peer.Options{Track: true})
	s.under(func() time.Duration {
		a.Run(func() {
			a.Open(1, false, frames.Block(frames.Request(peer.Quick, hpack.HeaderField{Name: "x-slow", Value: "1"})...))
			size := sized(1500, 30000)
			a.Frame(frames.Data, 0, 1, append([]byte{0}, frames.Word(uint32(size))...))
			for i := 0; i < size; i += 20 {
				flags := byte(0)
				if i+20 >= size {
					flags = frames.EndStream
				}
				a.Frame(frames.Data, flags, 1, make([]byte, 20))
				time.Sleep(10 * time.Millisecond)
			}
		})
		return a.CPU()
	})
	if !a.End(1, peer.Patience) || a.Resets() > 0 {
		t.Error("the slow upload was not answered")
	}
	s.judge("no", grownMaxKiB)
}
