package main

import (
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
)

var scenarios = []struct {
	name, what string
	run        func(*host, *row)
}{
	{"reset", "one executes, then resets the connection; 300/s of each kind for 12 s", runReset},
	{"goaway", "rolling GOAWAY restarts under load, 100,000 calls", runGoAway},
	{"refuse", "one refuses half of its streams", runRefuse},
	{"unavailable", "one answers UNAVAILABLE at once", runUnavailable},
	{"black-hole", "one black-holed in mid-run, per_try_timeout: 250ms", runBlackHole},
	{"slow", "one gets 200 ms slower in mid-run, peak_ewma", runSlow},
	{"trailers", "10 % UNAVAILABLE in trailers on all, 5 attempts", runTrailers},
	{"storm", "all fail for 5 s", runStorm},
	{"outage", "the only endpoint stops for 10 s, and serves late calls too", runOutage},
	{"overflow", "ten times what an endpoint can do", runOverflow},
	{"pushback", "failures with grpc-retry-pushback-ms", runPushback},
	{"cost", "CPU of a unary call with all policies on", runCost},
}

func runReset(h *host, r *row) {
	s := newStage(h, "", policy(idempotent, retry, `retry_budget: { max_tokens: 1000, token_ratio: 1 }`))
	s.endpoints[0].Set(endpoint.Mode{Fault: endpoint.Reset})
	samples := s.load(600, calls(7200), 5*time.Second, charge, get)
	twice, missing := s.money(samples)
	r.want("Charge executed twice", float64(twice), "=", 0, "")
	r.want("Charge OK without execution", float64(missing), "=", 0, "")
	r.want("GetPayment OK", okShare(of(get, samples)), "=", 100, " %")
	r.note("Charge OK %.1f %%: the others were executed, or may have been; GetPayment failed: %v",
		okShare(of(charge, samples)), why(of(get, samples)))

	c := newStage(h, "", policy(`methods: { payment.v1.Payment/Charge: { `+retry+` } }`, unlimited))
	c.endpoints[0].Set(endpoint.Mode{Fault: endpoint.Reset})
	control := c.load(600, calls(3600), 5*time.Second, charge, get)
	twice, _ = c.money(control)
	r.bites("Charge executed twice, retry written on it", float64(twice), ">", 0, "")
	r.bites("GetPayment OK without retry", okShare(of(get, control)), "<", 99, " %")
}

// roll restarts the endpoints one after the other until stop is closed; each second one is deaf for a while first.
func (s *stage) roll(stop <-chan struct{}) (restarts int) {
	for {
		select {
		case <-stop:
			return restarts
		case <-time.After(200 * time.Millisecond):
		}
		deaf := time.Duration(restarts/3%2) * 20 * time.Millisecond
		if err := s.endpoints[restarts%3].Restart(deaf, 50*time.Millisecond); err != nil {
			s.Errorf("%v", err)
			return restarts
		}
		restarts++
	}
}

// rolling is a load under rolling restarts.
func (s *stage) rolling(client target, rate, n int) ([]caller.Sample, int) {
	stop, done := make(chan struct{}), make(chan int)
	go func() { done <- s.roll(stop) }()
	samples := s.loadOn(client, rate, n, 5*time.Second, charge, get)
	close(stop)
	return samples, <-done
}

func runGoAway(h *host, r *row) {
	s := newStage(h, "", idempotent)
	samples, restarts := s.rolling(s.client, 1500, calls(100000))
	twice, missing := s.money(samples)
	r.want("failed", failures(samples), "=", 0, "")
	r.want("Charge executed twice", float64(twice), "=", 0, "")
	r.want("Charge OK without execution", float64(missing), "=", 0, "")
	resent, _ := s.proxy.Metric("outrigger_transparent_retries_total")
	r.note("%d calls, %d restarts, %.0f calls sent again, half of them Charge; failures: %v", len(samples), restarts, resent, why(samples))
	r.note("no policy: sending again what was not processed cannot be turned off, so the control has no proxy")

	c := &stage{host: h, endpoints: endpoints(h)}
	control, _ := c.rolling(c.direct(), 1500, calls(9000))
	r.bites("failed without the proxy", failures(control), ">", 0, "")
}

func runRefuse(h *host, r *row) {
	half := endpoint.Mode{Fault: endpoint.Refuse, Share: 0.5}
	s := newStage(h, "", idempotent)
	s.endpoints[0].Set(half)
	samples := s.load(600, calls(6000), 5*time.Second, charge, get)
	twice, missing := s.money(samples)
	r.want("OK", okShare(samples), "=", 100, " %")
	r.want("Charge executed twice", float64(twice), "=", 0, "")
	r.want("Charge OK without execution", float64(missing), "=", 0, "")
	r.note("%d calls, %d attempts; failures: %v", len(samples), sum(s.attempts()), why(samples))

	c := &stage{host: h, endpoints: endpoints(h)}
	c.endpoints[0].Set(half)
	control := c.loadOn(c.direct(), 600, calls(1800), 5*time.Second, charge, get)
	r.bites("OK without the proxy", okShare(control), "<", 95, " %")
}

func sum(n []int) int {
	total := 0
	for _, v := range n {
		total += v
	}
	return total
}

// shareOf is the share of attempts, in percent, that the first endpoint got from a moment on.
func (s *stage) shareOf(from time.Time) float64 {
	mine, all := 0, 0
	for i, e := range s.endpoints {
		n := arrivals(e, from, time.Now())
		all += n
		if i == 0 {
			mine = n
		}
	}
	return 100 * float64(mine) / float64(max(1, all))
}

func runUnavailable(h *host, r *row) {
	s := newStage(h, "", policy(idempotent, retry, budget, breaker))
	s.endpoints[0].Set(endpoint.Mode{Fault: endpoint.FailHeaders})
	samples := s.load(600, calls(6000), 5*time.Second, get)
	r.want("GetPayment OK", okShare(samples), "=", 100, " %")
	r.want("its share of attempts after 1 s", s.shareOf(s.began.Add(time.Second)), "<=", 2, " %")
	r.note("balance: least_request; failures: %v", why(samples))

	c := newStage(h, "", idempotent)
	c.endpoints[0].Set(endpoint.Mode{Fault: endpoint.FailHeaders})
	control := c.load(600, calls(3000), 5*time.Second, get)
	r.bites("OK without retry and breaker", okShare(control), "<", 90, " %")
	r.bites("its share without", c.shareOf(c.began.Add(time.Second)), ">", 20, " %")
}

// swallow makes the first endpoint a black hole a second into a load, and gives the attempts that began there later than
// `late` after the fifth of those that it swallowed.
func (s *stage) swallow(n int, late time.Duration) (samples []caller.Sample, after, all int) {
	wait := s.during(300, n, 2*time.Second, get)
	time.Sleep(time.Second)
	s.endpoints[0].Set(endpoint.Mode{Fault: endpoint.BlackHole})
	samples = wait()
	var swallowed []time.Time
	for _, a := range s.endpoints[0].Log() {
		if a.Fault == endpoint.BlackHole {
			swallowed = append(swallowed, a.At)
		}
	}
	if len(swallowed) < 5 {
		return samples, 0, len(swallowed)
	}
	for _, at := range swallowed {
		if at.Sub(swallowed[4]) > late {
			after++
		}
	}
	return samples, after, len(swallowed)
}

func runBlackHole(h *host, r *row) {
	const late = 270 * time.Millisecond // per_try_timeout, and 20 ms for a machine that is busy
	s := newStage(h, "", policy(idempotent, budget,
		`retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 250ms }`,
		`circuit_breaker: { consecutive_failures: 5, open: { base: 30s } }`))
	samples, after, all := s.swallow(2700, late)
	r.want("GetPayment OK", okShare(samples), "=", 100, " %")
	r.want("attempts there after the 5th timeout", float64(after), "=", 0, "")
	r.want("attempts swallowed", float64(all), ">=", 5, "")
	r.note("p99 %v; failures: %v", caller.Quantile(samples, 0.99).Round(time.Millisecond), why(samples))

	c := newStage(h, "balance: round_robin", idempotent)
	control, after, _ := c.swallow(1200, late)
	r.bites("OK without retry and breaker, round_robin", okShare(control), "<", 99, " %")
	r.bites("attempts there after the 5th timeout", float64(after), ">", 0, "")
}
