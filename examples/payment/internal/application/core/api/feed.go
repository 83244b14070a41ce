package api

import (
	"sync"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

// A watcher that is this many charges behind is sent away.
const feedDepth = 256

// feed hands each charge to everyone who watches. Publishing never waits.
type feed struct {
	mutex    sync.Mutex
	watchers map[*watcher]struct{}
	stopped  bool
}

type watcher struct {
	charges chan domain.Charge // closed when why is set
	why     error
}

func newFeed() *feed { return &feed{watchers: make(map[*watcher]struct{})} }

func (f *feed) join() *watcher {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	w := &watcher{charges: make(chan domain.Charge, feedDepth)}
	f.watchers[w] = struct{}{}
	if f.stopped {
		f.end(w, domain.ErrStopping)
	}
	return w
}

func (f *feed) leave(w *watcher) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	delete(f.watchers, w)
}

func (f *feed) publish(charge domain.Charge) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for w := range f.watchers {
		select {
		case w.charges <- charge:
		default:
			f.end(w, domain.ErrTooSlow)
		}
	}
}

func (f *feed) stop() {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.stopped = true
	for w := range f.watchers {
		f.end(w, domain.ErrStopping)
	}
}

// end is called with the mutex held.
func (f *feed) end(w *watcher, why error) {
	delete(f.watchers, w)
	w.why = why
	close(w.charges)
}
