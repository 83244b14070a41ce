package main

import (
	"fmt"
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
)

// alone is a stage of one endpoint.
func alone(h *host, options endpoint.Options, policy string) *stage {
	options.Listen, options.Log = proxy.Address(h), true
	server, err := endpoint.Start(options)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(server.Close)
	s := &stage{host: h, endpoints: []*endpoint.Server{server}}
	s.proxy, s.client = s.before("", policy)
	return s
}

// outage stops an endpoint for 500 calls a second, which serves its calls in their order whether they are still wanted or
// not, for 10 s amid 400 calls a second. It gives the attempts and the calls of that time, and the calls from 5 s after it.
func outage(h *host, policy string) (attempts, during int, after []caller.Sample) {
	const rate, before, lasts, recovers, then = 400, 2, 10, 5, 5
	s := alone(h, endpoint.Options{Capacity: 500, Queue: 250}, policy)
	wait := s.during(rate, rate*(before+lasts+recovers+then), time.Second, get)
	time.Sleep(before * time.Second)
	began := time.Now()
	s.endpoints[0].Set(endpoint.Mode{Fault: endpoint.Stop})
	time.Sleep(lasts * time.Second)
	ended := time.Now()
	s.endpoints[0].Set(endpoint.Mode{})
	samples := wait()
	attempts = arrivals(s.endpoints[0], began, ended)
	during = len(since(began, samples)) - len(since(ended, samples))
	return attempts, during, since(ended.Add(recovers*time.Second), samples)
}

func runOutage(h *host, r *row) {
	const tries = `retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 300ms }`
	attempts, during, after := outage(h, policy(idempotent, tries))
	r.want("attempts a call in it, less 10/s", float64(attempts-100)/float64(during), "<=", 1.2, "")
	r.want("OK from 5 s after it", okShare(after), ">=", 99, " %")
	attempts, during, after = outage(h, policy(idempotent, tries, unlimited))
	r.bites("attempts a call without a budget", float64(attempts)/float64(during), ">", 2, "")
	r.bites("OK from 5 s after it, without", okShare(after), "<", 50, " %")
}

// overflow offers calls to an endpoint that takes 10 at a time, 25 to 50 ms each.
func overflow(h *host, rate int, policy string) []caller.Sample {
	s := alone(h, endpoint.Options{Service: 25 * time.Millisecond, Streams: 10}, policy)
	return s.load(rate, calls(3*rate), 10*time.Second, get)
}

func runOverflow(h *host, r *row) {
	const rate = 2600 // ten times what it can do
	bounded := func(pending int) string {
		return policy(idempotent, fmt.Sprintf("limits: { max_pending: %d, max_connections_per_endpoint: 1 }", pending))
	}
	quiet := overflow(h, 100, bounded(8))
	var served, refused []caller.Sample
	for _, one := range overflow(h, rate, bounded(8)) {
		if one.Answer.Status == 0 {
			served = append(served, one)
		} else if one.Answer.Reason == "OVERLOADED" {
			refused = append(refused, one)
		}
	}
	base := caller.Quantile(quiet, 0.99)
	r.want("p99 of those served, of that without load", float64(caller.Quantile(served, 0.99))/float64(base), "<=", 2, " x")
	r.want("p99 of a refusal", float64(caller.Quantile(refused, 0.99).Microseconds())/1000, "<=", 5, " ms")
	r.note("%d served, %d refused; p99 without load %v", len(served), len(refused), ms(base))
	control := overflow(h, rate, bounded(1024))
	r.bites("p99 of those served with 1,024 places in the queue", float64(caller.Quantile(onlyOK(control), 0.99))/float64(base), ">", 4, " x")
}

func onlyOK(samples []caller.Sample) []caller.Sample {
	var out []caller.Sample
	for _, one := range samples {
		if one.Answer.Status == 0 {
			out = append(out, one)
		}
	}
	return out
}
