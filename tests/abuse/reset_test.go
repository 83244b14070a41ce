package abuse

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
)

// TestA4LegitimateCancels cancels 500 calls a second, each 20 ms after its start: an application with short deadlines, or
// one that hedges. It must not be cut.
func TestA4LegitimateCancels(t *testing.T) {
	t.Run("Deadlines", func(t *testing.T) { honestCancels(t, func(int) bool { return true }) })
	// every second call is answered, and its twin cancelled
	t.Run("Hedges", func(t *testing.T) { honestCancels(t, func(i int) bool { return i%2 == 1 }) })
}

func honestCancels(t *testing.T, cancelled func(i int) bool) {
	s := stage(t, "", "")
	a := peer.Attack(t, s.address, peer.Options{Track: true})
	calls, wrong, answered := 500*sized(4, 60), 0, 0
	const gap, life = 2 * time.Millisecond, 10 // in gaps: 20 ms
	s.under(func() time.Duration {
		a.Run(func() {
			next := time.Now()
			for i := range calls + life {
				if i < calls {
					block := quick
					if cancelled(i) {
						block = hang
					} else {
						answered++
					}
					a.Open(uint32(2*i+1), true, block)
				}
				if gone := i - life; gone >= 0 && cancelled(gone) {
					a.Frame(frames.ResetStream, 0, uint32(2*gone+1), frames.Word(8))
				}
				next = next.Add(gap)
				time.Sleep(time.Until(next))
			}
		})
		return a.CPU()
	})
	if !a.Barrier() {
		_, code, _ := a.GoAway()
		t.Fatalf("the connection was cut: GOAWAY %v", code)
	}
	a.Wait(peer.Patience, func() bool { return true })
	wrong = a.Resets()
	if wrong > 0 || a.Ends() != answered {
		t.Errorf("%d streams were reset; %d of %d calls were answered", wrong, a.Ends(), answered)
	}
	eventually(t, peer.Patience, "all attempts are gone", func() bool { _, alive, _ := s.endpoint.Attempts(); return alive == 0 })
	s.judge("no", grownMaxKiB)
}

// TestA5MadeYouReset makes the proxy reset streams by breaking rules on them (CVE-2025-8671), one after the other.
func TestA5MadeYouReset(t *testing.T) {
	body := func(id string, more ...hpack.HeaderField) []byte {
		return frames.Block(frames.Request(peer.Hang, append(more, hpack.HeaderField{Name: "x-id", Value: id})...)...)
	}
	plain := func(b []byte, stream uint32, id string, end byte) []byte {
		return frames.Append(b, frames.Headers, frames.EndHeaders|end, stream, body(id))
	}
	for _, c := range []struct {
		name     string
		forwards bool // the call has reached the endpoint before the rule is broken
		open     func(b []byte, stream uint32, id string) []byte
		hurt     func(b []byte, stream uint32) []byte
	}{
		{"WindowUpdateZero", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, frames.EndStream) },
			func(b []byte, n uint32) []byte { return frames.Append(b, frames.WindowUpdate, 0, n, frames.Word(0)) }},
		{"WindowOverflow", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, frames.EndStream) },
			func(b []byte, n uint32) []byte {
				return frames.Append(b, frames.WindowUpdate, 0, n, frames.Word(1<<31-1))
			}},
		{"DataAfterEnd", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, frames.EndStream) },
			func(b []byte, n uint32) []byte { return frames.Append(b, frames.Data, 0, n, []byte("late")) }},
		{"ContentLength", true,
			func(b []byte, n uint32, id string) []byte {
				return frames.Append(b, frames.Headers, frames.EndHeaders, n, body(id, hpack.HeaderField{Name: "content-length", Value: "2"}))
			},
			func(b []byte, n uint32) []byte { return frames.Append(b, frames.Data, 0, n, []byte("long")) }},
		{"PriorityLength", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, frames.EndStream) },
			func(b []byte, n uint32) []byte { return frames.Append(b, frames.Priority, 0, n, make([]byte, 4)) }},
		{"PriorityItself", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, frames.EndStream) },
			func(b []byte, n uint32) []byte {
				return frames.Append(b, frames.Priority, 0, n, append(frames.Word(n), 1))
			}},
		{"BadTrailers", true,
			func(b []byte, n uint32, id string) []byte { return plain(b, n, id, 0) },
			func(b []byte, n uint32) []byte {
				return frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, n, frames.Literal(nil, "Upper", "x"))
			}},
		{"BadHeader", false,
			func(b []byte, n uint32, id string) []byte {
				return frames.Append(b, frames.Headers, frames.EndHeaders|frames.EndStream, n, body(id, hpack.HeaderField{Name: "connection", Value: "close"}))
			},
			func(b []byte, n uint32) []byte { return b }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, "", "")
			s.twin = true
			broken, slowest, took := 0, time.Duration(0), time.Duration(0)
			s.under(func() time.Duration {
				var cost time.Duration
				for end, first := time.Now().Add(sized(200*time.Millisecond, 5*time.Second)), true; first || time.Now().Before(end); first = false {
					a, began := peer.Attack(t, s.address, peer.Options{Track: true}), time.Now()
					a.Run(func() {
						for i := range 3000 {
							stream, id := uint32(2*i+1), strconv.Itoa(broken)+"-"+strconv.Itoa(i)
							before, _, _ := s.endpoint.Attempts()
							a.Send(c.open(nil, stream, id))
							if c.forwards && i < 50 { // then the attempt is there; afterwards at full speed
								waitAttempt(s.endpoint, before, a)
							}
							a.Send(c.hurt(nil, stream))
							at, ok := a.Reset(stream, peer.Patience)
							if !ok {
								if first {
									broken, took = i+1, time.Since(began)
								}
								return
							}
							if c.forwards && i < 50 {
								gone, ok := s.endpoint.Cancelled(id, peer.Patience)
								if !ok {
									t.Errorf("the attempt of stream %d was not cancelled", stream)
								}
								slowest = max(slowest, gone.Sub(at))
							}
						}
					})
					if !a.Ended() && !a.WaitEnd(peer.Patience) {
						t.Fatal("the connection lives after 3000 streams that had to be reset")
					}
					cost += a.CPU()
					a.Close()
				}
				return cost
			})
			// 750 of a budget of 1000 bring GOAWAY, and as nothing else is open, the end
			if broken < 751 || broken > 751+regained(took, 1000, 100) {
				t.Errorf("closed at %d resets after %v, at 751 expected", broken, took)
			}
			if _, _, peak := s.endpoint.Attempts(); peak > 100 {
				t.Errorf("%d attempts alive at the endpoint, at most 100 expected", peak)
			}
			if full() && slowest > 10*time.Millisecond {
				t.Errorf("an attempt was cancelled %v after the stream's reset, at most 10 ms expected", slowest)
			}
			eventually(t, peer.Patience, "all attempts are gone", func() bool { _, alive, _ := s.endpoint.Attempts(); return alive == 0 })
			s.judge(fmt.Sprintf("%d streams", broken), grownMaxKiB, "stream_errors", "glitches")
		})
	}
}

// waitAttempt waits until one more attempt has come, or the connection is over.
func waitAttempt(e *peer.Endpoint, before int, a *peer.Attacker) {
	for end := time.Now().Add(peer.Patience); time.Now().Before(end) && !a.Ended(); time.Sleep(50 * time.Microsecond) {
		if total, _, _ := e.Attempts(); total > before {
			return
		}
	}
}
