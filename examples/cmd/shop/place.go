package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
)

// A question to the order service that has no deadline option of its own may take this long.
const askTime = 10 * time.Second

// So long an order may take to come to an end: one whose process died is held for a while.
const settleTime = 40 * time.Second

// load says how many calls are made, and how fast.
type load struct {
	count   int
	workers int
	rate    float64
}

func (l *load) options(flags *flag.FlagSet) {
	flags.IntVar(&l.count, "count", 10, "how many")
	flags.IntVar(&l.workers, "workers", 4, "how many at a time")
	flags.Float64Var(&l.rate, "rate", 0, "so many a second at most; 0: as fast as they are answered")
}

type placeOptions struct {
	load
	address  string
	prefix   string
	deadline time.Duration
	cents    int64
	product  string
	header   string
	summary  string
}

// placed is what became of one order.
type placed struct {
	id     string
	status orderv1.OrderStatus
	by     string // payment instance
	took   time.Duration
	code   codes.Code
	why    string
}

func place(ctx context.Context, args []string) error {
	var o placeOptions
	flags := flag.NewFlagSet("place", flag.ContinueOnError)
	flags.StringVar(&o.address, "order", "127.0.0.1:50050", "address of the order service")
	flags.StringVar(&o.prefix, "prefix", "order", "order ids are PREFIX-0001 and so on")
	o.load.options(flags)
	flags.DurationVar(&o.deadline, "deadline", 0, "deadline of each order; 0: none")
	flags.Int64Var(&o.cents, "cents", 1990, "price of each order")
	flags.StringVar(&o.product, "product", "tea", "what is ordered")
	flags.StringVar(&o.header, "header", "", "NAME=VALUE that each order is sent with, such as x-canary=1")
	flags.StringVar(&o.summary, "summary", "", "file that gets the summary as NAME=VALUE lines")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	if name, value, isPair := strings.Cut(o.header, "="); isPair {
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	} else if o.header != "" {
		fmt.Fprintln(os.Stderr, "-header wants NAME=VALUE")
		return errUsage
	}
	connection, err := dial(o.address, "")
	if err != nil {
		return err
	}
	defer connection.Close()
	client := orderv1.NewOrderClient(connection)

	outcomes := all(ctx, o.load, func(i int) placed { return placeOne(ctx, client, o, i) })
	if err := settle(ctx, client, outcomes); err != nil {
		return err
	}
	if err := summarize(outcomes).print(o.summary); err != nil {
		return err
	}
	return ctx.Err()
}

// all makes and prints the calls 0 to count - 1, and returns what became of each that was tried, in their order.
func all(ctx context.Context, o load, one func(i int) placed) []placed {
	outcomes := make([]placed, o.count)
	next := make(chan int)
	var print sync.Mutex
	var workers sync.WaitGroup
	for range max(1, o.workers) {
		workers.Go(func() {
			for i := range next {
				outcome := one(i)
				print.Lock()
				outcomes[i] = outcome
				fmt.Println(outcome.text())
				print.Unlock()
			}
		})
	}
	tried := 0
	for pace := newPace(o.rate); tried < o.count && pace.wait(ctx); tried++ {
		next <- tried
	}
	close(next)
	workers.Wait()
	return outcomes[:tried]
}

func placeOne(ctx context.Context, client orderv1.OrderClient, o placeOptions, i int) placed {
	if o.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.deadline)
		defer cancel()
	}
	outcome := placed{id: fmt.Sprintf("%s-%04d", o.prefix, i+1)}
	begin := time.Now()
	answer, err := client.CreateOrder(ctx, &orderv1.CreateOrderRequest{
		Id: outcome.id, Customer: "ada",
		Items: []*orderv1.Item{{Product: o.product, UnitPriceCents: o.cents, Quantity: 1}},
	})
	outcome.took = time.Since(begin)
	outcome.code = status.Code(err)
	if err != nil {
		outcome.status = statusAfter(err)
		outcome.why = explain(err)
		return outcome
	}
	outcome.status, outcome.by = answer.GetOrder().GetStatus(), answer.GetOrder().GetChargedBy()
	return outcome
}

// statusAfter tells from an error of CreateOrder how the order stands. An error that order did not make (a deadline that
// ended on the way, a connection that broke) leaves it open, and so does one that says so.
func statusAfter(err error) orderv1.OrderStatus {
	for _, detail := range status.Convert(err).Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetMetadata()["status"] == "cancelled" {
			return orderv1.OrderStatus_ORDER_STATUS_CANCELLED
		}
	}
	return orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED
}

// settle asks about every order that is not known to have come to an end, until it has.
func settle(ctx context.Context, client orderv1.OrderClient, outcomes []placed) error {
	for i := range outcomes {
		outcome := &outcomes[i]
		if isEnd(outcome.status) {
			continue
		}
		if err := settleOne(ctx, client, outcome); err != nil {
			return fmt.Errorf("cannot settle %s: %w", outcome.id, err)
		}
		fmt.Printf("%s settled: %s\n", outcome.id, statusName(outcome.status))
	}
	return nil
}

func settleOne(ctx context.Context, client orderv1.OrderClient, outcome *placed) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for pace := newPace(20); pace.wait(ctx); {
		answer, err := client.SettleOrder(ctx, &orderv1.SettleOrderRequest{Id: outcome.id})
		switch status.Code(err) {
		case codes.OK:
			outcome.status, outcome.by = answer.GetOrder().GetStatus(), answer.GetOrder().GetChargedBy()
			if isEnd(outcome.status) {
				return nil // otherwise someone is still at it
			}
		case codes.NotFound:
			outcome.status = orderv1.OrderStatus_ORDER_STATUS_CANCELLED // never reached order
			return nil
		case codes.Unavailable, codes.DeadlineExceeded, codes.Aborted, codes.ResourceExhausted:
		default:
			return err
		}
	}
	return ctx.Err()
}

func isEnd(status orderv1.OrderStatus) bool {
	return status == orderv1.OrderStatus_ORDER_STATUS_DONE || status == orderv1.OrderStatus_ORDER_STATUS_CANCELLED
}

func (p placed) text() string {
	took := p.took.Round(10 * time.Microsecond)
	if p.why == "" {
		return fmt.Sprintf("%s %s by %s in %s", p.id, statusName(p.status), p.by, took)
	}
	return fmt.Sprintf("%s failed in %s: %s", p.id, took, p.why)
}

func statusName(status orderv1.OrderStatus) string {
	if name, known := strings.CutPrefix(status.String(), "ORDER_STATUS_"); known {
		return strings.ToLower(name)
	}
	return "unknown"
}

// pace lets its caller through at most so many times a second.
type pace struct {
	gap  time.Duration
	next time.Time
}

func newPace(rate float64) *pace {
	if rate <= 0 {
		return &pace{}
	}
	return &pace{gap: time.Duration(float64(time.Second) / rate), next: time.Now()}
}

// wait returns false when the context ended first.
func (p *pace) wait(ctx context.Context) bool {
	if p.gap > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(p.next)):
			p.next = p.next.Add(p.gap)
		}
	}
	return ctx.Err() == nil
}
