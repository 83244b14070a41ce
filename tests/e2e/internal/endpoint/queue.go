package endpoint

import "time"

// queue serves Options.Capacity calls a second in their order. It serves those too that nobody waits for any more, as
// services do that learn of a cancellation too late: work that is wasted.
type queue struct {
	server *Server
	calls  chan func()
	done   chan struct{}
}

func newQueue(s *Server, options Options) *queue {
	q := &queue{server: s, calls: make(chan func(), options.Queue), done: make(chan struct{})}
	go q.serve(options.Capacity)
	return q
}

// put is false when the queue is full.
func (q *queue) put(call func()) bool {
	select {
	case q.calls <- call:
		return true
	default:
		return false
	}
}

func (q *queue) serve(capacity int) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	last, room := time.Now(), 0.0
	for {
		select {
		case <-q.done:
			return
		case now := <-tick.C:
			room = min(room+float64(capacity)*now.Sub(last).Seconds(), float64(capacity)/50)
			last = now
		}
		for ; room >= 1 && q.server.mode.Load().Fault != Stop && len(q.calls) > 0; room-- {
			(<-q.calls)()
		}
	}
}
