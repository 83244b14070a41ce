package abuse

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// racer is an endpoint whose connections end with GOAWAY in many ways while calls are under way.
type racer struct {
	mu       sync.Mutex
	rng      *rand.Rand
	held     map[*wire.Conn][]heldCall
	gone     map[*wire.Conn]int
	executed map[string]int // times that an application may have seen the call
	refused  map[string]int
	ways     [raceWays]int
}

type heldCall struct {
	stream uint32
	id     string
}

const raceWays = 6

// How a connection went.
const (
	goneTold   = 1 // with a last id
	goneBroken = 2 // without
)

// callID is the message of a call, which comes in one frame.
func callID(f wire.Frame) string {
	if len(f.Data) < 5 {
		return ""
	}
	return string(f.Data[5:])
}

func (r *racer) onFrame(c *wire.Conn, f wire.Frame) {
	if !f.End() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := callID(f)
	switch r.gone[c] {
	case goneTold:
		r.refused[id]++ // above the last id that the caller was told
		return
	case goneBroken:
		r.executed[id]++ // for all that the caller knows
		return
	}
	if len(r.held[c]) == 0 {
		time.AfterFunc(time.Duration(r.rng.IntN(2000))*time.Microsecond, func() { r.fire(c) })
	}
	r.held[c] = append(r.held[c], heldCall{f.Stream, id})
}

// fire ends the connection in one of the ways.
func (r *racer) fire(c *wire.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	held := r.held[c]
	r.gone[c] = goneTold
	way, kept := r.rng.IntN(raceWays), r.rng.IntN(len(held)+1)
	r.ways[way]++
	last := uint32(0)
	if kept > 0 {
		last = held[kept-1].stream
	}
	if way == 3 { // a broken block: nothing may be called unseen
		kept, r.gone[c] = len(held), goneBroken
	}
	for i, h := range held {
		if i < kept {
			r.executed[h.id]++
		} else {
			r.refused[h.id]++
		}
	}
	goaway := func(b []byte, last uint32, code http2.ErrCode, debug int) []byte {
		return frames.Append(b, frames.GoAway, 0, 0, append(append(frames.Word(last), frames.Word(uint32(code))...), make([]byte, debug)...))
	}
	var b []byte
	switch way {
	case 0:
		b = goaway(b, last, http2.ErrCodeNo, 0)
	case 1:
		b = goaway(goaway(b, 1<<31-1, http2.ErrCodeNo, 0), last, http2.ErrCodeNo, 0)
	case 2: // resets in the same segment
		b = goaway(b, last, http2.ErrCodeNo, 0)
		for _, h := range held[:kept] {
			b = frames.Append(b, frames.ResetStream, 0, h.stream, frames.Word(uint32(http2.ErrCodeInternal)))
		}
	case 3:
		b = goaway(frames.Append(b, frames.Headers, 0, held[0].stream, ok200), 0, http2.ErrCodeNo, 0)
	case 4:
		b = goaway(b, last, http2.ErrCodeEnhanceYourCalm, 16000)
	case 5: // the second is lower
		b = goaway(goaway(b, held[len(held)-1].stream, http2.ErrCodeNo, 0), last, http2.ErrCodeNo, 0)
	}
	if way != 2 && way != 3 {
		for _, h := range held[:kept] {
			b = append(b, answerOf(h.stream)...)
		}
	}
	c.Raw(b)
	if way == 2 { // the end too, but what comes is read: a close on unread bytes may take what was written with it
		_ = c.Net.(*net.TCPConn).CloseWrite()
	} // else the caller closes; either way what it had sent by then is seen
}

// TestA16GoAwayRaces makes calls over an endpoint that goes away all the time and one that does not. What a GOAWAY excludes
// is made again, once, and what it does not exclude is never made twice.
func TestA16GoAwayRaces(t *testing.T) {
	seed := rand.Uint64()
	if again := os.Getenv("ABUSE_SEED"); again != "" {
		fmt.Sscan(again, &seed)
	}
	t.Logf("seed %d", seed)
	r := &racer{rng: rand.New(rand.NewPCG(seed, 1)), held: map[*wire.Conn][]heldCall{}, gone: map[*wire.Conn]int{},
		executed: map[string]int{}, refused: map[string]int{}}
	racing := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: r.onFrame})
	sober := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.End() {
			r.mu.Lock()
			r.executed[callID(f)]++
			r.mu.Unlock()
			c.Raw(answerOf(f.Stream))
		}
	}})
	listen := proxy.Address(t)
	s := stage(t, "", fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { service: pair } ] }\nservices:\n  pair: { endpoints: { static: [ \"%s\", \"%s\" ] }, tls: off, balance: round_robin }\n",
		listen, racing.Address, sober.Address))
	rounds, each, wrong, fine := sized(60, 10000), 8, 0, 0
	client := caller.New(listen, 2)
	defer client.Close()
	s.under(func() time.Duration {
		for round := range rounds {
			var wait sync.WaitGroup
			answers := make([]caller.Answer, each)
			for i := range each {
				wait.Go(func() {
					answers[i] = client.Do(caller.Call{Path: "/test.Pay/Once", ID: fmt.Sprintf("%d-%d", round, i), Timeout: 5 * time.Second})
				})
			}
			wait.Wait()
			r.mu.Lock()
			for i, a := range answers {
				id := fmt.Sprintf("%d-%d", round, i)
				executed, refused := r.executed[id], r.refused[id]
				switch {
				case executed > 1 || a.Status == 0 && executed == 0 || a.Status == caller.Lost || a.Status == caller.Silent,
					a.Status != 0 && executed == 0 && refused < 2: // refused once, and not made again
					if wrong++; wrong < 10 {
						t.Errorf("call %s: executed %d times, refused %d times, answered %+v", id, executed, refused, a)
					}
				case a.Status == 0:
					fine++
				}
				delete(r.executed, id)
				delete(r.refused, id)
			}
			r.mu.Unlock()
		}
		return time.Second
	})
	if strays := client.Strays(); strays > 0 || wrong > 0 {
		t.Errorf("%d wrong of %d calls, %d answers on ended streams", wrong, rounds*each, strays)
	}
	for way, n := range r.ways {
		if n == 0 {
			t.Errorf("way %d never came about", way)
		}
	}
	s.judge(fmt.Sprintf("%d of %d OK", fine, rounds*each), grownMaxKiB)
}

// TestA15StreamIDs uses up the ids of a caller's connection, and of connections to the endpoint.
func TestA15StreamIDs(t *testing.T) {
	t.Run("Caller", func(t *testing.T) {
		s := stage(t, "", "")
		for _, first := range []uint32{1610612736 - 21, 1<<31 - 201} {
			first |= 1
			a := peer.Attack(t, s.address, peer.Options{Track: true})
			made := 0
			for id := first; id < 1<<31 && made < 100; id += 2 {
				if _, _, away := a.GoAway(); away {
					break
				}
				a.Open(id, true, quick)
				if made++; !a.End(id, peer.Patience) || a.Resets() > 0 {
					t.Fatalf("call %d with id %d was not answered", made, id)
				}
			}
			if _, code, ok := a.GoAway(); !ok || code != http2.ErrCodeNo || made > 12 {
				t.Errorf("ids from %d: %d calls, GOAWAY %v %v", first, made, ok, code)
			}
			a.Close()
		}
		s.under(func() time.Duration { return time.Second })
		s.judge("id 1610612736", grownMaxKiB, "stream_ids")
	})
	t.Run("Endpoint", func(t *testing.T) {
		endpoint, listen := peer.Serve(t), proxy.Address(t) // a neighbour would be sent away with every other caller
		p := proxy.Start(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\nbounds: { stream_ids: 201 }\n", listen, endpoint.Address))
		client := caller.New(listen, 2)
		defer client.Close()
		for i := range sized(1000, 20000) {
			if a := client.Do(caller.Call{Path: peer.Quick, ID: "x", Timeout: 5 * time.Second}); a.Status != 0 && !strings.Contains(a.Message, "the connection ended") {
				t.Fatalf("call %d: %+v", i, a)
			}
		}
		if boundCounters(p)["stream_ids"] == 0 {
			t.Error("no connection was replaced")
		}
	})
}
