package e2e

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/wire"
)

// parallel keeps so many calls going until n were made.
func parallel(t *testing.T, address string, workers, n int) (failed int32) {
	t.Helper()
	var wait sync.WaitGroup
	var left, bad atomic.Int32
	left.Store(int32(n))
	for range workers {
		c := newClient(t, address)
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				if c.call(echoPath).Status() != "0" {
					bad.Add(1)
				}
			}
		})
	}
	wait.Wait()
	return bad.Load()
}

// shares counts the attempts on each endpoint from the given one on.
func (l *line) shares(from int) map[int]int {
	out := map[int]int{}
	for _, one := range l.seen()[from:] {
		out[one.endpoint]++
	}
	return out
}

// TestPeakEWMAAvoidsTheSlow: of three endpoints that take 5 ms one becomes 100 ms slower, and is left nearly alone;
// round_robin, for comparison, gives it its third.
func TestPeakEWMAAvoidsTheSlow(t *testing.T) {
	for _, balance := range []string{"peak_ewma", "round_robin"} {
		t.Run(balance, func(t *testing.T) {
			var slow atomic.Bool
			l := endpointLineBy(t, 3, func(endpoint, n int, c *wire.Conn, stream uint32) {
				takes := 5 * time.Millisecond
				if endpoint == 0 && slow.Load() {
					takes += 100 * time.Millisecond
				}
				time.AfterFunc(takes, func() { succeeds(n, c, stream) })
			})
			_, address := outbound(t, l.addresses, "balance: "+balance, "")
			parallel(t, address, 4, 200)
			before := len(l.seen())
			for i, n := range l.shares(0) {
				if n < 20 {
					t.Errorf("endpoint %d got %d of 200 calls while all were well", i, n)
				}
			}
			slow.Store(true)
			parallel(t, address, 4, 600)
			got := l.shares(before)[0]
			if balance == "peak_ewma" && got > 60 {
				t.Errorf("the slow endpoint got %d of 600 calls", got)
			}
			if balance == "round_robin" && got < 150 {
				t.Errorf("round_robin gave it %d of 600 calls: this test shows nothing", got)
			}
		})
	}
}

// TestPeakEWMADoesNotLikeFailures: an endpoint that fails faster than the others serve gets fewer calls, not more: least
// requests would give it two of three.
func TestPeakEWMADoesNotLikeFailures(t *testing.T) {
	l := endpointLineBy(t, 3, func(endpoint, n int, c *wire.Conn, stream uint32) {
		if endpoint == 0 {
			fails(n, c, stream)
			return
		}
		time.AfterFunc(5*time.Millisecond, func() { succeeds(n, c, stream) })
	})
	_, address := outbound(t, l.addresses, "balance: peak_ewma", "")
	failed := parallel(t, address, 4, 600)
	if got := l.shares(0)[0]; got > 100 || int(failed) != got {
		t.Errorf("the failing endpoint got %d of 600 calls, %d failed", got, failed)
	}
}

// TestPeakEWMAComesBack: when the slow endpoint is well again it gets its calls back once its peak is forgotten.
func TestPeakEWMAComesBack(t *testing.T) {
	var slow atomic.Bool
	l := endpointLineBy(t, 2, func(endpoint, n int, c *wire.Conn, stream uint32) {
		takes := 2 * time.Millisecond
		if endpoint == 0 && slow.Load() {
			takes += 50 * time.Millisecond
		}
		time.AfterFunc(takes, func() { succeeds(n, c, stream) })
	})
	_, address := outbound(t, l.addresses, "balance: { peak_ewma: { decay: 300ms } }", "")
	parallel(t, address, 4, 100)
	slow.Store(true)
	parallel(t, address, 4, 200)
	slow.Store(false)
	before := l.shares(0)[0]
	eventually(t, "it gets calls again", func() bool {
		parallel(t, address, 4, 100)
		return l.shares(0)[0]-before > 60
	})
}
