package caller

import (
	"slices"
	"sync"
	"time"
)

// Load is an open loop: calls begin when they are due, whatever became of those before.
type Load struct {
	Rate     int // calls a second
	Calls    int // in all
	InFlight int // at most; what is due beyond waits, and its latency counts from when it was due
	Make     func(n int) Call
}

// Sample is one call of a load.
type Sample struct {
	Call   Call
	Start  time.Time
	Answer Answer
}

// Run makes the calls through client and gives them in the order in which they began.
func (l Load) Run(client interface{ DoSince(Call, time.Time) Answer }) []Sample {
	samples := make([]Sample, l.Calls)
	room := make(chan struct{}, l.InFlight)
	began := time.Now()
	gap := time.Second / time.Duration(l.Rate)
	var wait sync.WaitGroup
	for n := range samples {
		due := began.Add(time.Duration(n) * gap)
		time.Sleep(time.Until(due))
		room <- struct{}{}
		wait.Go(func() {
			call := l.Make(n)
			samples[n] = Sample{Call: call, Start: due, Answer: client.DoSince(call, due)}
			<-room
		})
	}
	wait.Wait()
	return samples
}

// Count is how many samples match.
func Count(samples []Sample, match func(Sample) bool) int {
	n := 0
	for _, s := range samples {
		if match(s) {
			n++
		}
	}
	return n
}

// OK matches the calls that succeeded.
func OK(s Sample) bool { return s.Answer.Status == 0 }

// Quantile is the latency below which the share q of the samples lies.
func Quantile(samples []Sample, q float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	took := make([]time.Duration, len(samples))
	for i, s := range samples {
		took[i] = s.Answer.Took
	}
	slices.Sort(took)
	return took[min(len(took)-1, int(q*float64(len(took))))]
}
