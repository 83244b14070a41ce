package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
)

const (
	servesIn = "PAYMENT_DELAY=2ms"
	slowIn   = "PAYMENT_DELAY=50ms"
	callers  = 24 // at a time, shared among the connections
)

// balancer balances connections, as a load balancer for TCP does: each new one goes to the next address that takes it.
type balancer struct {
	listener net.Listener
	to       []string
	next     int
}

func newBalancer(t *testing.T, to []string) string {
	t.Helper()
	listener, err := net.Listen("tcp", address(t))
	if err != nil {
		t.Fatal(err)
	}
	b := &balancer{listener: listener, to: to}
	go b.accept()
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

func (b *balancer) accept() {
	for {
		near, err := b.listener.Accept()
		if err != nil {
			return
		}
		far := b.dial()
		if far == nil {
			near.Close()
			continue
		}
		carry := func(to, from net.Conn) {
			io.Copy(to, from)
			to.Close()
			from.Close()
		}
		go carry(far, near)
		go carry(near, far)
	}
}

func (b *balancer) dial() net.Conn {
	for range b.to {
		b.next++
		if far, err := net.Dial("tcp", b.to[b.next%len(b.to)]); err == nil {
			return far
		}
	}
	return nil
}

// run is what callers saw.
type run struct {
	by     map[string]int // calls that each payment answered
	failed int
	took   []time.Duration
	lasted time.Duration
}

var chargeID atomic.Int64

// charge has callers charge through so many connections until the context ends.
func charge(ctx context.Context, t *testing.T, at string, connections int) *run {
	t.Helper()
	var all []*grpc.ClientConn
	for range connections {
		connection := dial(t, at)
		defer connection.Close()
		all = append(all, connection)
	}
	r := &run{by: map[string]int{}}
	begin := time.Now()
	var mutex sync.Mutex
	var working sync.WaitGroup
	for i := range callers {
		client := paymentv1.NewPaymentClient(all[i%connections])
		working.Go(func() {
			for ctx.Err() == nil {
				one := time.Now()
				answer, err := client.Charge(context.Background(), &paymentv1.ChargeRequest{
					Id: fmt.Sprintf("c-%d", chargeID.Add(1)), Customer: "ada", AmountCents: 1,
				})
				mutex.Lock()
				r.took = append(r.took, time.Since(one))
				if err != nil {
					r.failed++
				} else {
					r.by[answer.GetCharge().GetInstance()]++
				}
				mutex.Unlock()
			}
		})
	}
	working.Wait()
	r.lasted = time.Since(begin)
	slices.Sort(r.took)
	return r
}

func (r *run) answered() int {
	all := 0
	for _, count := range r.by {
		all += count
	}
	return all
}

// share of the calls that one payment, or the busiest, answered, in percent.
func (r *run) share(instance string) float64 {
	return 100 * float64(r.by[instance]) / float64(max(1, r.answered()))
}

func (r *run) busiest() float64 {
	most := 0.0
	for instance := range r.by {
		most = max(most, r.share(instance))
	}
	return most
}

func (r *run) row(what, how string) string {
	at := func(hundredths int) time.Duration {
		return r.took[(len(r.took)*hundredths+99)/100-1].Round(100 * time.Microsecond)
	}
	return fmt.Sprintf("| %s | %s | %.0f, %.0f, %.0f %% | %.0f %% | %.0f | %v | %v | %d |", what, how,
		r.share("payment-0"), r.share("payment-1"), r.share("payment-2"), r.busiest(),
		float64(r.answered())/r.lasted.Seconds(), at(50), at(99), r.failed)
}

// scene is three payments behind both kinds of balancing.
type scene struct {
	*world
	byConnection, byCall string // where to call
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{world: &world{folder: t.TempDir()}}
	for i := range payments {
		s.apps = append(s.apps, address(t))
		s.payments = append(s.payments, s.run(t, fmt.Sprintf("payment-%d", i), []string{program(t, "payment")}, []string{
			fmt.Sprintf("PAYMENT_INSTANCE=payment-%d", i), "PAYMENT_LISTEN=" + s.apps[i],
			"PAYMENT_LEDGER_FOLDER=" + s.path("ledger"), servesIn,
		}))
	}
	s.byConnection, s.byCall = newBalancer(t, s.apps), address(t)
	s.sidecar(t, outrigger(t), "sidecar", fmt.Sprintf(`
outbound: [ { listen: "%s", routes: [ { service: payment } ] } ]
services:
  payment:
    endpoints: { static: [ "%s" ] }
    tls: off
    balance: peak_ewma
`, s.byCall, strings.Join(s.apps, `", "`)))
	s.waitAll(t)
	return s
}

// both runs the same load through both, one after the other. In the middle of each, something may happen.
func (s *scene) both(t *testing.T, what string, connections int, middle func()) (byConnection, byCall *run) {
	t.Helper()
	runs := map[string]*run{}
	for _, how := range []string{"connections, by a TCP balancer", "calls, by Outrigger"} {
		at := s.byConnection
		if strings.HasPrefix(how, "calls") {
			at = s.byCall
		}
		if middle != nil {
			middle()
		}
		ctx, cancel := context.WithTimeout(context.Background(), balancingTime(t))
		runs[how] = charge(ctx, t, at, connections)
		cancel()
		t.Log(runs[how].row(what, how))
	}
	return runs["connections, by a TCP balancer"], runs["calls, by Outrigger"]
}

func balancingTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BALANCING_TIME")
	if text == "" {
		return 700 * time.Millisecond
	}
	long, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return long
}

func (s *scene) restart(t *testing.T, i int, env string) {
	t.Helper()
	p := s.payments[i]
	p.end(t, syscall.SIGTERM)
	p.env[len(p.env)-1] = env
	p.start(t)
	eventually(t, allWithin, "the payment serves again", serves(t, s.apps[i]))
}

// TestBalancing compares the balancing of connections with that of calls. What is held here are shares; the times are in
// README.md, from a longer run.
func TestBalancing(t *testing.T) {
	s := newScene(t)
	t.Log("| 24 callers | balanced | calls by payment | busiest | calls/s | p50 | p99 | failed |")
	one, spread := s.both(t, "one connection", 1, nil)
	if one.busiest() < 99.9 || spread.busiest() > 60 {
		t.Errorf("one connection: the busiest got %.0f %% and %.0f %%", one.busiest(), spread.busiest())
	}
	if _, spread = s.both(t, "four connections", 4, nil); spread.busiest() > 60 {
		t.Errorf("four connections: the busiest got %.0f %%", spread.busiest())
	}
	s.restart(t, 1, slowIn)
	six, spread := s.both(t, "six connections, payment-1 takes 50 ms", 6, nil)
	if spread.share("payment-1") > six.share("payment-1")+1 {
		t.Errorf("the slow one got %.1f %% and %.1f %%", six.share("payment-1"), spread.share("payment-1"))
	}
	s.restart(t, 1, servesIn)
	s.comesBack(t)
}

// comesBack has a payment restarted while callers hold their connections, and looks at who answers from then on.
func (s *scene) comesBack(t *testing.T) {
	t.Helper()
	for _, at := range []string{s.byConnection, s.byCall} {
		ctx, cancel := context.WithCancel(context.Background())
		var calling sync.WaitGroup
		var before, after map[string]int
		r := &run{}
		calling.Go(func() { r = charge(ctx, t, at, 3) })
		time.Sleep(balancingTime(t) / 2)
		s.restart(t, 1, servesIn)
		before = s.charged(t)
		time.Sleep(balancingTime(t))
		after = s.charged(t)
		cancel()
		calling.Wait()
		got := after["payment-1"] - before["payment-1"]
		how := "connections, by a TCP balancer"
		if at == s.byCall {
			how = "calls, by Outrigger"
		}
		t.Logf("three connections, payment-1 restarted, balanced %s: of the calls after that it answered %d, the others %d; failed %d",
			how, got, after["payment-0"]+after["payment-2"]-before["payment-0"]-before["payment-2"], r.failed)
		if at == s.byCall && got == 0 {
			t.Error("a payment that came back gets no calls")
		}
	}
}

// charged counts the lines of the ledgers.
func (s *scene) charged(t *testing.T) map[string]int {
	counts := map[string]int{}
	for i := range payments {
		name := fmt.Sprintf("payment-%d", i)
		text, err := os.ReadFile(s.path("ledger/" + name + ".ledger"))
		if err != nil {
			t.Fatal(err)
		}
		counts[name] = strings.Count(string(text), "\n")
	}
	return counts
}
