package e2e

import (
	"fmt"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
)

const (
	payIdempotent = `idempotent: ["payment.v1.Payment/GetPayment"]`
	threeTries    = `retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 300ms }`
)

func startEndpoint(t *testing.T, options endpoint.Options) *endpoint.Server {
	t.Helper()
	options.Listen = proxy.Address(t)
	s, err := endpoint.Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask makes GetPayment calls at a rate.
func ask(t *testing.T, entry string, rate, calls int, timeout time.Duration) []caller.Sample {
	t.Helper()
	client := caller.New(entry, 16)
	t.Cleanup(client.Close)
	return caller.Load{Rate: rate, Calls: calls, InFlight: 1200, Make: func(n int) caller.Call {
		return caller.Call{Path: getPath, ID: fmt.Sprint("get-", n), Timeout: timeout}
	}}.Run(client)
}

// outage is what a stop of the only endpoint did to the calls.
type outage struct {
	during, attempts int             // calls while it stopped, and their attempts
	after            []caller.Sample // that began long enough after it
}

// stopAmid loads an endpoint for 500 calls a second with 400, and stops it for a while.
func stopAmid(t *testing.T, policy string, lasts time.Duration) (out outage) {
	const rate = 400
	const before, recovers, then = time.Second, 5 * time.Second, 2 * time.Second
	server := startEndpoint(t, endpoint.Options{Capacity: 500, Queue: 250})
	_, entry := outbound(t, []string{server.Address}, "", policyOf(payIdempotent, threeTries, policy))
	type moment struct {
		at       time.Time
		attempts int
	}
	var stopped, back moment
	turned := make(chan struct{})
	go func() {
		defer close(turned)
		time.Sleep(before)
		stopped = moment{time.Now(), server.Attempts()}
		server.Set(endpoint.Mode{Fault: endpoint.Stop})
		time.Sleep(lasts)
		back = moment{time.Now(), server.Attempts()}
		server.Set(endpoint.Mode{})
	}()
	samples := ask(t, entry, rate, int((before+lasts+recovers+then).Seconds()*rate), time.Second)
	<-turned
	out.attempts = back.attempts - stopped.attempts
	for _, s := range samples {
		if s.Start.After(stopped.at) && s.Start.Before(back.at) {
			out.during++
		}
		if s.Start.After(back.at.Add(recovers)) {
			out.after = append(out.after, s)
		}
	}
	return out
}

func (o outage) okShare() float64 {
	return float64(caller.Count(o.after, caller.OK)) / float64(max(1, len(o.after)))
}

// TestC4RetryStorm stops an endpoint that serves its calls in their order, wanted or not. With the retry budget calls go
// on as before once it is back. Without, at the same time on the same machine, the retries keep it from ever coming back.
func TestC4RetryStorm(t *testing.T) {
	if !full() {
		t.Skip("capacity and load are wall-clock rates, which a busy machine does not keep: with E2E_FULL=1")
	}
	const lasts, least = 10 * time.Second, 0.99
	control := make(chan outage)
	go func() { control <- stopAmid(t, noBudget, lasts) }()
	with := stopAmid(t, "", lasts)
	without := <-control
	attempts := float64(with.attempts) / float64(with.during)
	t.Logf("with the budget %.2f attempts a call, %.1f %% OK from 5 s after the end; without %.2f and %.1f %%", attempts,
		100*with.okShare(), float64(without.attempts)/float64(without.during), 100*without.okShare())
	if most := 1.2*float64(with.during) + 10*lasts.Seconds(); float64(with.attempts) > most {
		t.Errorf("%d attempts of %d calls in the outage, expected at most %.0f", with.attempts, with.during, most)
	}
	if with.okShare() < least {
		t.Errorf("%.1f %% OK after the outage", 100*with.okShare())
	}
	if without.okShare() > 0.5 {
		t.Errorf("%.1f %% OK without a budget: the storm does not show what the budget is for", 100*without.okShare())
	}
}

// chain puts two outbound sidecars with three attempts each before an endpoint that fails a share of the calls, and
// gives the attempts a call that reach it.
func chain(t *testing.T, calls int, fails float64, policy string) float64 {
	t.Helper()
	server := startEndpoint(t, endpoint.Options{})
	server.Set(endpoint.Mode{Fault: endpoint.FailHeaders, Share: fails})
	keys := policyOf(payIdempotent, `retry: { max_attempts: 3, on: [UNAVAILABLE], backoff: { initial: 1ms, max: 2ms } }`, policy)
	_, lower := outbound(t, []string{server.Address}, "", keys)
	_, upper := outbound(t, []string{lower}, "", keys)
	samples := ask(t, upper, 1000, calls, 20*time.Second)
	return float64(server.Attempts()) / float64(len(samples))
}

// TestC5TwoLayers has three attempts in each of two layers: the budgets keep the bottom from seeing all nine.
func TestC5TwoLayers(t *testing.T) {
	for _, fails := range []float64{0.1, 0.5, 1} {
		if n := chain(t, 1000, fails, ""); n > 1.44 {
			t.Errorf("%.2f attempts a call at the bottom when %.0f %% fail", n, 100*fails)
		} else {
			t.Logf("%.0f %% fail: %.3f attempts a call at the bottom", 100*fails, n)
		}
	}
	if n := chain(t, 50, 1, noBudget); n != 9 {
		t.Errorf("without budgets %.2f attempts a call, expected 9", n)
	}
}

// TestC9PendingOverflow offers ten times what an endpoint can do: what finds neither room nor a place in the queue is
// refused, what is taken is served, and the queue never holds more than it may.
func TestC9PendingOverflow(t *testing.T) {
	const streams, pending = 10, 8
	server := startEndpoint(t, endpoint.Options{Service: 25 * time.Millisecond, Streams: streams})
	p, entry := outbound(t, []string{server.Address}, "",
		fmt.Sprintf("limits: { max_pending: %d, pending_timeout: 20s, max_connections_per_endpoint: 1 }", pending))
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		highest := 0.0
		for {
			select {
			case <-done:
				most <- highest
				return
			default:
				n, _ := p.Metric("outrigger_requests_pending")
				highest = max(highest, n)
			}
		}
	}()
	samples := ask(t, entry, 2600, 5200, 30*time.Second)
	close(done)
	outcomes := map[string]int{}
	for _, s := range samples {
		outcomes[fmt.Sprintf("%d %s", s.Answer.Status, s.Answer.Reason)]++
		if s.Answer.Status == 8 && s.Answer.RetryIn <= 0 {
			t.Fatalf("refused without a time to come back: %+v", s.Answer)
		}
	}
	queued := <-most
	t.Logf("at most %.0f waiting; %v", queued, outcomes)
	if outcomes["0 "] == 0 || outcomes["8 OVERLOADED"] == 0 || outcomes["0 "]+outcomes["8 OVERLOADED"] != len(samples) {
		t.Errorf("expected OK and OVERLOADED, got %v", outcomes)
	}
	if server.Attempts() != outcomes["0 "] {
		t.Errorf("%d calls reached the endpoint, %d were answered", server.Attempts(), outcomes["0 "])
	}
	if queued == 0 || queued > pending {
		t.Errorf("%.0f calls waited at most, expected 1 to %d", queued, pending)
	}
}
