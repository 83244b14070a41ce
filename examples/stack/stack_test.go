// Package stack tests the services as processes, with Outrigger beside each, while everything fails.
package stack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
)

const (
	customers   = 16
	calm        = 20 * time.Second // so long orders may take to come to their end after the last fault
	deadline    = time.Second
	emptyOneIn  = 20 // orders cannot be shipped
	settleOneIn = 2  // customers ask again when they hear of an error
)

// TestNothingIsLostUnderFaults places orders for a while in which everything fails in turn, and compares the books in the end.
func TestNothingIsLostUnderFaults(t *testing.T) {
	long := 12 * time.Second
	if os.Getenv("E2E_FULL") == "1" {
		long = 5 * time.Minute
	}
	w := start(t, hasPostgres(), "")
	seed := newSeed(t)
	ctx, cancel := context.WithTimeout(context.Background(), long)
	defer cancel()
	stop, stopped := context.WithCancel(context.Background())
	var shopping sync.WaitGroup
	var crowd *crowd
	shopping.Go(func() { crowd = w.shop(stop, t) })
	did := harm(ctx, t, w, rand.New(rand.NewPCG(seed, 0)))
	stopped()
	shopping.Wait()

	b := w.close(t, crowd)
	got := b.reconcile()
	t.Logf("faults: %v", did)
	t.Logf("%v; customers heard %v", got, crowd.heard())
	cut := 0
	for _, c := range w.cutters {
		cut += c.count()
	}
	goneOnWith := w.logged(t, "order gone on with")
	t.Logf("answers cut off: %d; orders that order went on with by itself: %d", cut, goneOnWith)
	got.check(t)
	if cut == 0 || goneOnWith == 0 || got.refunded == 0 || got.done < 100 || len(crowd.heard()) < 3 {
		t.Error("the faults did not bite")
	}
}

// TestRetriedChargesShow is the control: a policy that has Charge sent again charges twice, and the books tell.
func TestRetriedChargesShow(t *testing.T) {
	w := start(t, false, ", retry: { max_attempts: 3, on: [UNAVAILABLE] }", "PAYMENT_FAIL_SHARE=30%")
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	crowd := w.shop(ctx, t)
	got := w.close(t, crowd).reconcile()
	t.Logf("%v; charged twice: %d", got, len(got.wrong["charged twice"]))
	if len(got.wrong["charged twice"]) == 0 {
		t.Error("nobody was charged twice, although Charge was sent again")
	}
}

func hasPostgres() bool {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	return err == nil && len(found) > 0
}

func newSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	if again := os.Getenv("E2E_SEED"); again != "" {
		fmt.Sscan(again, &seed)
	}
	t.Logf("seed %d (E2E_SEED repeats the order of the faults)", seed)
	return seed
}

// crowd is what the customers remember.
type crowd struct {
	mutex   sync.Mutex
	codes   map[string]codes.Code // by id of the order
	clients []orderv1.OrderClient
}

func (c *crowd) heard() map[codes.Code]int {
	counts := map[codes.Code]int{}
	for _, code := range c.codes {
		counts[code]++
	}
	return counts
}

// shop places orders until the context ends, each at one of the order services.
func (w *world) shop(ctx context.Context, t *testing.T) *crowd {
	c := &crowd{codes: map[string]codes.Code{}}
	for _, at := range w.orderAt {
		connection := dial(t, at)
		t.Cleanup(func() { connection.Close() })
		c.clients = append(c.clients, orderv1.NewOrderClient(connection))
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range customers {
		all.Go(func() {
			for ctx.Err() == nil {
				c.place(int(next.Add(1)))
				time.Sleep(10 * time.Millisecond) // customers need a moment, and leave the machine to the others
			}
		})
	}
	all.Wait()
	return c
}

func (c *crowd) place(i int) {
	id, client := fmt.Sprintf("o-%06d", i), c.clients[i%len(c.clients)]
	product := "tea"
	if i%emptyOneIn == 0 {
		product = "moon-dust"
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	_, err := client.CreateOrder(ctx, &orderv1.CreateOrderRequest{
		Id: id, Customer: "ada", Items: []*orderv1.Item{{Product: product, UnitPriceCents: int64(i%1000 + 1), Quantity: 2}},
	})
	c.mutex.Lock()
	c.codes[id] = status.Code(err)
	c.mutex.Unlock()
	if err != nil && i%settleOneIn == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		c.clients[(i+1)%len(c.clients)].SettleOrder(ctx, &orderv1.SettleOrderRequest{Id: id})
	}
}

// close waits until every order has come to its end, ends the services, and reads the books.
func (w *world) close(t *testing.T, c *crowd) books {
	t.Helper()
	w.waitAll(t)
	b := newBooks()
	open := map[string]bool{}
	for id, code := range c.codes {
		open[id] = true
		b.heardOK[id] = code == codes.OK
	}
	for end := time.Now().Add(calm); len(open) > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		for id := range open {
			answer, err := c.clients[0].GetOrder(t.Context(), &orderv1.GetOrderRequest{Id: id})
			if err != nil && status.Code(err) != codes.NotFound {
				t.Fatalf("%s: %v", id, err)
			}
			b.orders[id] = answer.GetOrder()
			switch answer.GetOrder().GetStatus() {
			case orderv1.OrderStatus_ORDER_STATUS_DONE, orderv1.OrderStatus_ORDER_STATUS_CANCELLED,
				orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED:
				delete(open, id)
			}
		}
	}
	for _, p := range append(append(append([]*process{}, w.orders...), w.payments...), w.shipping) {
		p.end(t, syscall.SIGTERM)
	}
	b.readLedgers(t, w.path("ledger"), w.path("shipments"))
	return b
}
