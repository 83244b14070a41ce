package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
)

const (
	chargePath = "/payment.v1.Payment/Charge"     // moves money
	getPath    = "/payment.v1.Payment/GetPayment" // may be repeated
	payTimeout = 2 * time.Second
	lateness   = 100 * time.Millisecond // a status may come so long after the deadline
	rush       = 250 * time.Millisecond // the timeout of each second charge: black holes and stops outlast it
)

// fleet is an outbound sidecar before payment services that each have an inbound one, with mTLS between.
type fleet struct {
	t        *testing.T
	ca       *cert.Authority
	dir      string
	entry    string
	out      *proxy.Proxy
	services []*payee
	methods  string // section of the outbound policy, or ""
	reloads  int
}

// payee is a payment endpoint in a process of its own and its sidecar.
type payee struct {
	process *endpoint.Process
	listen  string
	yaml    string
	sidecar *proxy.Proxy
	until   time.Time // when heal is due
	heal    func()    // nil: nothing is wrong with it
}

func newFleet(t *testing.T, count int, methods string) *fleet {
	t.Helper()
	f := &fleet{t: t, ca: cert.New(t), dir: t.TempDir(), entry: proxy.Address(t), methods: methods}
	payment := cert.Write(t, f.dir, "payment", f.ca.Service(t, "payment"), f.ca)
	cert.Write(t, f.dir, "order", f.ca.Service(t, "order"), f.ca)
	for i := range count {
		process, err := endpoint.Launch(proxy.Address(t), filepath.Join(f.dir, fmt.Sprintf("ledger-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(process.Kill)
		s := &payee{process: process, listen: proxy.Address(t)}
		s.yaml = identity(payment) + fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", s.listen, process.Address)
		s.sidecar = proxy.Start(t, s.yaml)
		f.services = append(f.services, s)
	}
	f.out = proxy.Start(t, f.yaml())
	return f
}

// yaml is the outbound side; every reload has other limits, so that something changes.
func (f *fleet) yaml() string {
	var addresses []string
	for _, s := range f.services {
		addresses = append(addresses, `"`+s.listen+`"`)
	}
	files := cert.Files{Cert: f.dir + "/order.crt", Key: f.dir + "/order.key", Trust: f.dir + "/order-ca.crt"}
	return identity(files) + fmt.Sprintf(`outbound:
  - { listen: "%s", routes: [ { service: payment } ] }
services:
  payment:
    endpoints: { static: [ %s ] }
    peer: { identity: "%s" }
    balance: random
    policy: payment
policies:
  payment:
    idempotent: ["payment.v1.Payment/GetPayment"]
    retry: { max_attempts: 4, on: [UNAVAILABLE, INTERNAL], per_try_timeout: 300ms, backoff: { initial: 10ms, max: 100ms, multiplier: 2 } }
    retry_budget: { max_tokens: 200, token_ratio: 0.5 }
    circuit_breaker: { consecutive_failures: 5, open: { base: 100ms, max: 500ms, multiplier: 2, jitter: 50%% }, ramp: 500ms }
    limits: { max_requests: %d }
    %s
`, f.entry, strings.Join(addresses, ", "), cert.ID("payment"), 1000+f.reloads, f.methods)
}

// pids are the workers of the sidecar that answers the callers.
func (f *fleet) pids() []int { return f.out.Workers() }

// fault does something to a service and tells how long until heal undoes it; a nil heal needs none.
type fault struct {
	name string
	do   func(*fleet, *payee, *rand.Rand) (time.Duration, func())
}

// scriptedFault is a fault of the endpoint that a mode makes.
func scriptedFault(name string, mode endpoint.Mode) fault {
	return fault{name, func(f *fleet, s *payee, r *rand.Rand) (time.Duration, func()) {
		f.must(s.process.Set(mode))
		return between(r, 100, 600), func() { f.must(s.process.Set(endpoint.Mode{})) }
	}}
}

var faults = []fault{
	{"kill -9", func(f *fleet, s *payee, r *rand.Rand) (time.Duration, func()) {
		s.process.Kill()
		return between(r, 0, 400), func() { f.must(s.process.Again()) }
	}},
	{"stop and continue", func(f *fleet, s *payee, r *rand.Rand) (time.Duration, func()) {
		f.must(s.process.Signal(stopSignal))
		return between(r, 50, 800), func() { f.must(s.process.Signal(continueSignal)) }
	}},
	{"goaway", func(f *fleet, s *payee, _ *rand.Rand) (time.Duration, func()) {
		f.must(s.process.GoAway(0))
		return 0, nil
	}},
	{"goaway that excludes", func(f *fleet, s *payee, _ *rand.Rand) (time.Duration, func()) {
		f.must(s.process.GoAway(10 * time.Millisecond))
		return 0, nil
	}},
	{"sidecar ends by SIGTERM", func(f *fleet, s *payee, r *rand.Rand) (time.Duration, func()) {
		s.sidecar.Signal(termSignal)
		return between(r, 50, 300), func() {
			s.sidecar.WaitExit(35 * time.Second)
			s.sidecar = proxy.Start(f.t, s.yaml)
		}
	}},
	{"worker of the sidecar killed", func(_ *fleet, s *payee, _ *rand.Rand) (time.Duration, func()) {
		killAll(s.sidecar.Workers())
		return 300 * time.Millisecond, func() {}
	}},
	{"outbound reloads", func(f *fleet, _ *payee, _ *rand.Rand) (time.Duration, func()) {
		f.reloads++
		f.out.Write(f.yaml())
		return 0, nil
	}},
	{"new certificates", func(f *fleet, _ *payee, _ *rand.Rand) (time.Duration, func()) {
		for _, name := range []string{"payment", "order"} {
			cert.Write(f.t, f.dir, name, f.ca.Service(f.t, name), f.ca)
		}
		return 0, nil
	}},
	scriptedFault("reset after executing", endpoint.Mode{Fault: endpoint.Reset, Share: 0.2}),
	scriptedFault("stream reset after executing", endpoint.Mode{Fault: endpoint.ResetStream, Share: 0.5}),
	scriptedFault("black hole", endpoint.Mode{Fault: endpoint.BlackHole}),
	{"long black hole", func(f *fleet, s *payee, r *rand.Rand) (time.Duration, func()) {
		f.must(s.process.Set(endpoint.Mode{Fault: endpoint.BlackHole}))
		return payTimeout + between(r, 100, 600), func() { f.must(s.process.Set(endpoint.Mode{})) }
	}},
	scriptedFault("slow", endpoint.Mode{Fault: endpoint.Slow, Delay: 150 * time.Millisecond}),
	scriptedFault("refuse", endpoint.Mode{Fault: endpoint.Refuse, Share: 0.5}),
	scriptedFault("fail in headers", endpoint.Mode{Fault: endpoint.FailHeaders}),
	scriptedFault("fail in headers after executing", endpoint.Mode{Fault: endpoint.FailHeaders, Share: 0.5, Executes: true}),
	scriptedFault("fail in trailers after executing", endpoint.Mode{Fault: endpoint.FailTrailers, Share: 0.5, Executes: true}),
	scriptedFault("pushback 50", endpoint.Mode{Fault: endpoint.FailHeaders, Share: 0.5, Executes: true, Pushback: "50"}),
	scriptedFault("pushback -1", endpoint.Mode{Fault: endpoint.FailTrailers, Share: 0.3, Executes: true, Pushback: "-1"}),
	scriptedFault("pushback junk", endpoint.Mode{Fault: endpoint.FailHeaders, Share: 0.3, Executes: true, Pushback: "soon"}),
}

func between(r *rand.Rand, low, high int) time.Duration {
	return time.Duration(low+r.IntN(high-low+1)) * time.Millisecond
}

func (f *fleet) must(err error) {
	if err != nil {
		f.t.Errorf("nemesis: %v", err)
	}
}

// torment lets a fault befall one of the services every 200 ms, as long as two of them are well, until done is closed.
// It gives how often each fault came.
func (f *fleet) torment(done <-chan struct{}, r *rand.Rand) map[string]int {
	came := map[string]int{}
	var deck []fault
	for next := time.Now(); ; {
		select {
		case <-done:
			f.healAll(time.Time{})
			return came
		case <-time.After(10 * time.Millisecond):
		}
		f.healAll(time.Now())
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(200 * time.Millisecond)
		well := f.well()
		if len(well) <= 2 {
			continue
		}
		if len(deck) == 0 {
			deck = slices.Clone(faults)
			r.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		victim := well[r.IntN(len(well))]
		var lasts time.Duration
		lasts, victim.heal = deck[0].do(f, victim, r)
		victim.until = time.Now().Add(lasts)
		came[deck[0].name]++
		deck = deck[1:]
	}
}

// healAll undoes the faults that are due, all of them at the zero time.
func (f *fleet) healAll(now time.Time) {
	for _, s := range f.services {
		if s.heal != nil && (now.IsZero() || now.After(s.until)) {
			s.heal()
			s.heal = nil
		}
	}
}

func (f *fleet) well() []*payee {
	var out []*payee
	for _, s := range f.services {
		if s.heal == nil {
			out = append(out, s)
		}
	}
	return out
}

// nemesisSize is how many calls at which rate: E2E_CALLS and E2E_RATE, or as long as the run is meant to be.
func nemesisSize(t *testing.T) (calls, rate int) {
	t.Helper()
	calls, rate = 2000, 250
	if full() {
		calls, rate = 50000, 500
	}
	for name, value := range map[string]*int{"E2E_CALLS": &calls, "E2E_RATE": &rate} {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n <= 0 {
			t.Fatalf("%s is %q, expected a number", name, text)
		}
		*value = n
	}
	return calls, rate
}

// pay makes calls at a rate, Charge and GetPayment in turn, under torment. It gives them and what was executed.
func (f *fleet) pay(calls, rate int) (samples []caller.Sample, executed, came map[string]int) {
	f.t.Helper()
	r := rand.New(rand.NewPCG(newSeed(f.t), 1))
	client := caller.New(f.entry, 16)
	f.t.Cleanup(client.Close)
	done := make(chan struct{})
	go func() {
		defer close(done)
		samples = caller.Load{Rate: rate, Calls: calls, InFlight: 800, Make: func(n int) caller.Call {
			call := caller.Call{Path: chargePath, ID: fmt.Sprintf("payment-%d", n), Timeout: payTimeout}
			if n%2 == 1 {
				call.Path = getPath
			} else if n%4 == 0 {
				call.Timeout = rush
			}
			return call
		}}.Run(client)
	}()
	came = f.torment(done, r)
	if n := client.Strays(); n > 0 {
		f.t.Errorf("%d answers came on streams that had ended", n)
	}
	var ledgers []string
	for _, s := range f.services {
		ledgers = append(ledgers, s.process.Ledger)
	}
	executed, err := endpoint.Executions(ledgers...)
	if err != nil {
		f.t.Fatal(err)
	}
	return samples, executed, came
}

// TestC1PaymentNemesis charges unique payments, and asks for others, while everything goes wrong: no charge is executed
// twice, none is answered with OK that was not, and every call hears one status in time. C3 is in it: the idempotent
// half of the calls succeeds, and no call is executed more often than it may be attempted.
func TestC1PaymentNemesis(t *testing.T) {
	calls, rate := nemesisSize(t)
	f := newFleet(t, 4, "")
	lag := watchLag(f.pids())
	samples, executed, came := f.pay(calls, rate)
	t.Logf("faults: %v", came)
	for _, one := range faults {
		if came[one.name] == 0 && calls >= 2000 {
			t.Errorf("%q never came", one.name)
		}
	}
	judge(t, samples, executed, lag.end())
}

// TestC1NemesisBites lets the sidecar try charges again, as an operator may write but should not: the nemesis must then
// find charges that were executed twice, or it would find none elsewhere either.
func TestC1NemesisBites(t *testing.T) {
	f := newFleet(t, 3, "methods: { payment.v1.Payment/Charge: { retry: { max_attempts: 4, on: [UNAVAILABLE, INTERNAL] } } }")
	for _, s := range f.services {
		f.must(s.process.Set(endpoint.Mode{Fault: endpoint.FailTrailers, Share: 0.1, Executes: true}))
	}
	samples, executed, _ := f.pay(600, 300)
	twice := 0
	for _, s := range samples {
		if s.Call.Path == chargePath && executed[chargePath+" "+s.Call.ID] > 1 {
			twice++
		}
	}
	t.Logf("%d of %d charges were executed twice", twice, len(samples)/2)
	if twice == 0 {
		t.Error("no charge was executed twice although all were tried again")
	}
}

// tally is what came of the calls to one method.
type tally struct {
	calls, ok, repeated int
	forbidden           int // failed by a pushback that wants no retry
	starved             int // failed when the machine had been late by half a per_try_timeout in the two seconds before
	outcomes            map[string]int
}

// judge checks the invariants over all calls.
func judge(t *testing.T, samples []caller.Sample, executed map[string]int, lag lags) {
	t.Helper()
	tallies := map[string]*tally{chargePath: {outcomes: map[string]int{}}, getPath: {outcomes: map[string]int{}}}
	var latest time.Duration
	late, wrong := 0, 0
	for _, s := range samples {
		sum, times, a := tallies[s.Call.Path], executed[s.Call.Path+" "+s.Call.ID], s.Answer
		sum.calls++
		sum.outcomes[fmt.Sprintf("%d %s", a.Status, a.Reason)]++
		if times > 1 {
			sum.repeated++
		}
		if a.Status == 0 {
			sum.ok++
		}
		ended := s.Start.Add(a.Took)
		if text, is := strings.CutPrefix(a.Message, endpoint.PushbackMessage); is && text != "50" {
			sum.forbidden++
		} else if a.Status != 0 && lag.between(ended.Add(-2*time.Second), ended) > 150*time.Millisecond {
			sum.starved++
		}
		over := a.Waited - s.Call.Timeout
		latest = max(latest, over)
		if over > lateness {
			late++
			if excuse := lag.between(ended.Add(-a.Waited), ended); over > lateness+excuse {
				t.Errorf("%s %s: a status %v after the deadline, and the machine was late by no more than %v", s.Call.Path, s.Call.ID, over, excuse)
			}
		}
		if problem := problemOf(s, times); problem != "" {
			if wrong++; wrong <= 20 {
				t.Errorf("%s %s: %s; it heard %d %s %s", s.Call.Path, s.Call.ID, problem, a.Status, a.Reason, a.Message)
			}
		}
	}
	for path, sum := range tallies {
		t.Logf("%s: %d calls, %d OK (%.3f %%), %d executed more than once, %d not to be tried again, %v", path, sum.calls, sum.ok,
			100*float64(sum.ok)/float64(max(1, sum.calls)), sum.repeated, sum.forbidden, sum.outcomes)
	}
	t.Logf("latest status: %v after the deadline; %d later than %v; the machine was late by %v in all", latest, late, lateness, lag.sum())
	if sum := tallies[getPath]; sum.calls-sum.ok-sum.forbidden-sum.starved > sum.calls/10000+1 {
		t.Errorf("C3: %d of %d idempotent calls succeeded, %d were not to be tried again, %d failed on a starved machine",
			sum.ok, sum.calls, sum.forbidden, sum.starved)
	}
}

// problemOf tells what is wrong with how a call ended that was executed so many times.
func problemOf(s caller.Sample, times int) string {
	switch {
	case s.Answer.Status < 0:
		return "no status"
	case s.Call.Path == chargePath && times > 1:
		return fmt.Sprintf("executed %d times", times)
	case s.Answer.Status == 0 && times == 0:
		return "OK, but not executed"
	case s.Answer.Status == 0 && s.Answer.Body != s.Call.ID:
		return fmt.Sprintf("the answer is that of %q", s.Answer.Body)
	case times > 4:
		return fmt.Sprintf("executed %d times of 4 attempts", times)
	}
	return ""
}
