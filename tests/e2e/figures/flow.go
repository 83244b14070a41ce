package main

import (
	"fmt"
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
)

// slowDown makes the first of three endpoints slow in mid-run, and calls three healthy ones at the same time, so that what
// else happens on the machine hits both alike. It gives the calls from then on, and the share that the slow one got.
func slowDown(h *host, balance string, rate, seconds int) (healthy, slow []caller.Sample, share float64) {
	well, ill := newStage(h, balance, idempotent), newStage(h, balance, idempotent)
	n := rate + calls(rate*seconds)
	waitWell, waitIll := well.during(rate, n, 5*time.Second, get), ill.during(rate, n, 5*time.Second, get)
	time.Sleep(time.Second)
	ill.endpoints[0].Set(endpoint.Mode{Fault: endpoint.Slow, Delay: 200 * time.Millisecond})
	at := time.Now()
	healthy, slow = since(at, waitWell()), since(at, waitIll())
	return healthy, slow, ill.shareOf(at)
}

func runSlow(h *host, r *row) {
	for _, rate := range []int{200, 1000} {
		healthy, slow, share := slowDown(h, "balance: peak_ewma", rate, 15)
		before, after := caller.Quantile(healthy, 0.99), caller.Quantile(slow, 0.99)
		r.want(fmt.Sprintf("p99 of healthy at %d/s", rate), float64(after)/float64(before), "<=", 1.3, " x")
		r.want(fmt.Sprintf("its share at %d/s", rate), share, "<=", 0.5, " %")
		r.note("%d/s: p50 %v, p99 %v; healthy p50 %v, p99 %v; failed %.0f", rate, ms(caller.Quantile(slow, 0.5)), ms(after),
			ms(caller.Quantile(healthy, 0.5)), ms(before), failures(slow))
		healthy, slow, _ = slowDown(h, "balance: least_request", rate, 5)
		r.bites(fmt.Sprintf("p99 of healthy at %d/s, least_request", rate),
			float64(caller.Quantile(slow, 0.99))/float64(caller.Quantile(healthy, 0.99)), ">", 3, " x")
	}
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// flaky makes a tenth of all calls fail in the trailers and calls; it gives the attempts a call as well.
func (s *stage) flaky(rate, n int) (samples []caller.Sample, attempts float64) {
	for _, e := range s.endpoints {
		e.Set(endpoint.Mode{Fault: endpoint.FailTrailers, Share: 0.1})
	}
	before := sum(s.attempts())
	samples = s.load(rate, n, 10*time.Second, get)
	return samples, float64(sum(s.attempts())-before) / float64(len(samples))
}

func runTrailers(h *host, r *row) {
	const five = `retry: { max_attempts: 5, on: [UNAVAILABLE] }`
	s := newStage(h, "", policy(idempotent, five, budget))
	samples, attempts := s.flaky(2000, calls(200000))
	r.want("GetPayment OK", okShare(samples), ">=", 99.99, " %")
	r.note("%d calls, %.3f attempts a call, %.0f failed: %v", len(samples), attempts, failures(samples), why(samples))

	d := newStage(h, "", policy(idempotent, five))
	samples, attempts = d.flaky(1000, calls(20000))
	r.want("attempts a call, default budget", attempts, "<=", 1.1, "")
	r.note("default budget: %.2f %% OK", okShare(samples))

	c := newStage(h, "", idempotent)
	control, _ := c.flaky(1000, calls(5000))
	r.bites("OK without retry", okShare(control), "<", 92, " %")
	c = newStage(h, "", policy(idempotent, `retry: { max_attempts: 5, on: [UNAVAILABLE], hold_headers: off }`, budget))
	control, _ = c.flaky(1000, calls(5000))
	r.bites("OK with headers not held", okShare(control), "<", 92, " %")
}

// storm lets all endpoints fail for 5 s amid healthy times. It gives the most attempts a call in a second of the storm
// and the calls that began a second or more after it.
func (s *stage) storm() (worst float64, after []caller.Sample) {
	const rate, before, lasts, healthy = 400, 2, 5, 4
	wait := s.during(rate, rate*(before+lasts+healthy), 5*time.Second, get)
	time.Sleep(before * time.Second)
	began := time.Now()
	for _, e := range s.endpoints {
		e.Set(endpoint.Mode{Fault: endpoint.FailHeaders})
	}
	time.Sleep(lasts * time.Second)
	for _, e := range s.endpoints {
		e.Set(endpoint.Mode{})
	}
	ended := time.Now()
	samples := wait()
	for at := began; at.Before(ended.Add(-900 * time.Millisecond)); at = at.Add(250 * time.Millisecond) {
		attempts := 0
		for _, e := range s.endpoints {
			attempts += arrivals(e, at, at.Add(time.Second))
		}
		worst = max(worst, float64(attempts)/float64(len(since(at, samples))-len(since(at.Add(time.Second), samples))))
	}
	return worst, since(ended.Add(time.Second), samples)
}

func runStorm(h *host, r *row) {
	s := newStage(h, "", policy(idempotent, retry))
	worst, after := s.storm()
	r.want("attempts a call in the worst second", worst, "<=", 1.2, "")
	r.want("OK from 1 s after it", okShare(after), ">=", 99.9, " %")
	r.note("default budget, no breaker; %d calls after it, failed: %v", len(after), why(after))

	c := newStage(h, "", policy(idempotent, retry, unlimited))
	worst, _ = c.storm()
	r.bites("attempts a call without a budget", worst, ">", 2, "")
}

// pushed calls endpoints that fail often with a pushback, and tells of each failure but the last of a call how long it was
// until the next attempt, and which calls ended after one attempt.
func (s *stage) pushed(pushback string) (gaps []time.Duration, failed, lone int) {
	for _, e := range s.endpoints {
		e.Set(endpoint.Mode{Fault: endpoint.FailHeaders, Share: 0.3, Pushback: pushback})
	}
	s.load(200, calls(1000), 10*time.Second, get)
	byID := map[string][]endpoint.Attempt{}
	for _, e := range s.endpoints {
		for _, a := range e.Log() {
			byID[a.ID] = append(byID[a.ID], a)
		}
	}
	delete(byID, "warm")
	for _, attempts := range byID {
		sortByTime(attempts)
		if attempts[0].Fault == endpoint.FailHeaders {
			failed++
			if len(attempts) == 1 {
				lone++
			}
		}
		for i := range len(attempts) - 1 {
			gaps = append(gaps, attempts[i+1].At.Sub(attempts[i].At))
		}
	}
	return gaps, failed, lone
}

func runPushback(h *host, r *row) {
	const keys = `retry: { max_attempts: 5, on: [UNAVAILABLE] }, ` + unlimited
	s := newStage(h, "", policy(idempotent, keys))
	gaps, failed, lone := s.pushed("200")
	early := 0
	var longest time.Duration
	for _, gap := range gaps {
		if gap < 199*time.Millisecond { // what the clocks of the two sides round
			early++
		}
		longest = max(longest, gap)
	}
	r.want("tried again before 200 ms", float64(early), "=", 0, "")
	r.want("not tried again", float64(lone), "=", 0, "")
	r.note("200: %d failures, %d attempts that followed one, the longest wait %v", failed, len(gaps), ms(longest))
	for _, stop := range []string{"-1", "soon"} {
		s = newStage(h, "", policy(idempotent, keys))
		gaps, failed, _ = s.pushed(stop)
		r.want(fmt.Sprintf("tried again after %q", stop), float64(len(gaps)), "=", 0, "")
		r.note("%s: %d failures", stop, failed)
	}
	c := newStage(h, "", policy(idempotent, keys))
	gaps, _, _ = c.pushed("")
	early = 0
	for _, gap := range gaps {
		if gap < 199*time.Millisecond {
			early++
		}
	}
	r.bites("tried again before 200 ms, no pushback", float64(early), ">", 0, "")
}
