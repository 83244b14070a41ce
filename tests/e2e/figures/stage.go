package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
)

const (
	charge = "/payment.v1.Payment/Charge"     // moves money: never twice
	get    = "/payment.v1.Payment/GetPayment" // may be repeated

	idempotent = `idempotent: ["payment.v1.Payment/GetPayment"]`
	retry      = `retry: { max_attempts: 3, on: [UNAVAILABLE] }`
	budget     = `retry_budget: { max_tokens: 100, token_ratio: 0.2 }`
	unlimited  = `retry_budget: off`
	breaker    = `circuit_breaker: { consecutive_failures: 5 }`
)

var divide = 1

// calls is n, or the part of it that was asked for.
func calls(n int) int { return max(n/divide, 200) }

// stage is three endpoints and the proxy before them.
type stage struct {
	*host
	endpoints []*endpoint.Server
	proxy     *proxy.Proxy
	client    *caller.Client
	began     time.Time
}

// endpoints starts three.
func endpoints(h *host) []*endpoint.Server {
	var out []*endpoint.Server
	for range 3 {
		s, err := endpoint.Start(endpoint.Options{
			Listen: proxy.Address(h), Service: 5 * time.Millisecond, Log: true,
		})
		if err != nil {
			h.Fatal(err)
		}
		h.Cleanup(s.Close)
		out = append(out, s)
	}
	return out
}

// newStage starts endpoints and a proxy; service holds more keys of the service, policy those of its policy, or "".
func newStage(h *host, service, policy string) *stage {
	s := &stage{host: h, endpoints: endpoints(h)}
	s.proxy, s.client = s.before(service, policy)
	return s
}

// before starts a proxy before the endpoints and calls through it until each has answered.
func (s *stage) before(service, policy string) (*proxy.Proxy, *caller.Client) {
	return s.beforeWith(proxy.Options{}, service, policy)
}

func (s *stage) beforeWith(options proxy.Options, service, policy string) (*proxy.Proxy, *caller.Client) {
	var addresses []string
	for _, e := range s.endpoints {
		addresses = append(addresses, `"`+e.Address+`"`)
	}
	listen := proxy.Address(s.host)
	yaml := fmt.Sprintf("outbound:\n  - { listen: \"%s\", routes: [ { service: payment } ] }\n"+
		"services:\n  payment: { endpoints: { static: [ %s ] }, tls: off, policy: p%s }\npolicies:\n  p: { %s }\n",
		listen, strings.Join(addresses, ", "), prefix(", ", service), policy)
	p := proxy.StartWith(s.host, yaml, options)
	client := caller.New(listen, 16)
	s.Cleanup(client.Close)
	start := s.attempts()
	p.Eventually(5*time.Second, "each endpoint has a call", func() bool {
		client.Do(caller.Call{Path: get, ID: "warm", Timeout: time.Second})
		for i, n := range s.attempts() {
			if n == start[i] {
				return false
			}
		}
		return true
	})
	return p, client
}

func prefix(p, text string) string {
	if text == "" {
		return ""
	}
	return p + text
}

// policy joins keys.
func policy(keys ...string) string { return strings.Join(keys, ", ") }

func (s *stage) attempts() []int {
	var out []int
	for _, e := range s.endpoints {
		out = append(out, e.Attempts())
	}
	return out
}

// load calls at a rate; the paths take turns.
func (s *stage) load(rate, n int, timeout time.Duration, paths ...string) []caller.Sample {
	return s.loadOn(s.client, rate, n, timeout, paths...)
}

type target interface {
	DoSince(caller.Call, time.Time) caller.Answer
}

var round atomic.Int32 // makes ids unique over all loads

func (s *stage) loadOn(client target, rate, n int, timeout time.Duration, paths ...string) []caller.Sample {
	mine := round.Add(1)
	s.began = time.Now()
	return caller.Load{Rate: rate, Calls: n, InFlight: 1200, Make: func(i int) caller.Call {
		return caller.Call{Path: paths[i%len(paths)], ID: fmt.Sprintf("%d-%d", mine, i), Timeout: timeout}
	}}.Run(client)
}

// during runs a load in the background and gives a function that waits for it.
func (s *stage) during(rate, n int, timeout time.Duration, paths ...string) func() []caller.Sample {
	out := make(chan []caller.Sample, 1)
	s.began = time.Now()
	go func() { out <- s.load(rate, n, timeout, paths...) }()
	return func() []caller.Sample { return <-out }
}

// direct calls the endpoints in turn without a proxy and without any policy.
func (s *stage) direct() *caller.Spread {
	spread := &caller.Spread{}
	for _, e := range s.endpoints {
		client := caller.New(e.Address, 4)
		s.Cleanup(client.Close)
		spread.Clients = append(spread.Clients, client)
	}
	return spread
}

// executed is how often each "PATH ID" was, over all endpoints.
func (s *stage) executed() map[string]int {
	sum := map[string]int{}
	for _, e := range s.endpoints {
		for line, n := range e.Executed() {
			sum[line] += n
		}
	}
	return sum
}

// money is what the ledgers say of the calls to Charge: executed twice, and answered OK without.
func (s *stage) money(samples []caller.Sample) (twice, missing int) {
	executed := s.executed()
	for _, one := range samples {
		if one.Call.Path != charge {
			continue
		}
		n := executed[charge+" "+one.Call.ID]
		if n > 1 {
			twice++
		}
		if n == 0 && one.Answer.Status == 0 {
			missing++
		}
	}
	return twice, missing
}

// of are the samples of a path.
func of(path string, samples []caller.Sample) []caller.Sample {
	var out []caller.Sample
	for _, s := range samples {
		if s.Call.Path == path {
			out = append(out, s)
		}
	}
	return out
}

// since are the samples that began from a moment on.
func since(at time.Time, samples []caller.Sample) []caller.Sample {
	for i, s := range samples {
		if !s.Start.Before(at) {
			return samples[i:]
		}
	}
	return nil
}

// okShare is the share of calls that ended well, in percent.
func okShare(samples []caller.Sample) float64 {
	return 100 * float64(caller.Count(samples, caller.OK)) / float64(max(1, len(samples)))
}

func failures(samples []caller.Sample) float64 {
	return float64(len(samples) - caller.Count(samples, caller.OK))
}

// why counts the ways in which calls failed.
func why(samples []caller.Sample) map[string]int {
	out := map[string]int{}
	for _, s := range samples {
		if s.Answer.Status != 0 {
			out[fmt.Sprintf("%d %s: %.80s", s.Answer.Status, s.Answer.Reason, s.Answer.Message)]++
		}
	}
	return out
}

// arrivals counts attempts on an endpoint from one moment to another.
func arrivals(e *endpoint.Server, from, to time.Time) int {
	n := 0
	for _, a := range e.Log() {
		if !a.At.Before(from) && a.At.Before(to) {
			n++
		}
	}
	return n
}

// write puts a file into a folder of the scenario.
func (h *host) write(name string, data []byte) string {
	path := filepath.Join(h.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		h.Fatal(err)
	}
	return path
}
