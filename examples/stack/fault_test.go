package stack

import (
	"context"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// fault does harm, and heals what it did before it returns.
type fault struct {
	name string
	do   func(t *testing.T, w *world, rng *rand.Rand)
}

// longer than the timeouts of the sidecars, and than an order is held
const (
	stopTime      = time.Second
	orderStopTime = 2500 * time.Millisecond
)

func faults(w *world) []fault {
	all := []fault{
		{"payment killed", func(t *testing.T, w *world, rng *rand.Rand) { kill(t, w.payments[rng.IntN(payments)]) }},
		{"payment stopped", func(t *testing.T, w *world, rng *rand.Rand) { pause(t, w.payments[rng.IntN(payments)], stopTime) }},
		{"all payments stopped", func(t *testing.T, w *world, _ *rand.Rand) { pauseAll(t, w.payments, stopTime) }},
		{"answers of payment cut off", func(_ *testing.T, w *world, rng *rand.Rand) {
			w.cutters[rng.IntN(payments)].cut(3)
			time.Sleep(200 * time.Millisecond)
		}},
		{"answers of shipping cut off", func(_ *testing.T, w *world, _ *rand.Rand) {
			w.cutters[payments].cut(3)
			time.Sleep(200 * time.Millisecond)
		}},
		{"shipping killed", func(t *testing.T, w *world, _ *rand.Rand) { kill(t, w.shipping) }},
		{"shipping stopped", func(t *testing.T, w *world, _ *rand.Rand) { pause(t, w.shipping, stopTime) }},
		{"order killed", func(t *testing.T, w *world, rng *rand.Rand) { kill(t, w.orders[rng.IntN(len(w.orders))]) }},
		{"order stopped", func(t *testing.T, w *world, rng *rand.Rand) {
			pause(t, w.orders[rng.IntN(len(w.orders))], orderStopTime)
		}},
		{"sidecar of a payment restarted", func(t *testing.T, w *world, rng *rand.Rand) {
			sidecar := w.sidecars[rng.IntN(payments)]
			sidecar.end(t, syscall.SIGTERM)
			sidecar.start(t)
		}},
	}
	if w.database != nil {
		all = append(all, fault{"database killed", func(t *testing.T, w *world, _ *rand.Rand) {
			w.database.Stop(t)
			w.database.Again(t)
		}})
	}
	return all
}

func kill(t *testing.T, p *process) {
	p.end(t, syscall.SIGKILL)
	time.Sleep(100 * time.Millisecond)
	p.start(t)
}

func pause(t *testing.T, p *process, long time.Duration) { pauseAll(t, []*process{p}, long) }

func pauseAll(t *testing.T, ps []*process, long time.Duration) {
	for _, p := range ps {
		p.signal(t, syscall.SIGSTOP)
	}
	time.Sleep(long)
	for _, p := range ps {
		p.signal(t, syscall.SIGCONT)
	}
}

// harm does one fault after the other, each as often as the others, in an order that the seed gives, until the context ends.
// Each has its turn at least once.
func harm(ctx context.Context, t *testing.T, w *world, rng *rand.Rand) map[string]int {
	did := map[string]int{}
	all := faults(w)
	for round := 0; round == 0 || ctx.Err() == nil; round++ {
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, one := range all {
			if round > 0 && ctx.Err() != nil {
				break
			}
			one.do(t, w, rng)
			did[one.name]++
			time.Sleep(time.Duration(50+rng.IntN(250)) * time.Millisecond)
		}
	}
	return did
}
