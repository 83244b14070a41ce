package stack

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	"github.com/outrigger/examples/internal/journal"
)

// books is what everyone has written down in the end.
type books struct {
	orders    map[string]*orderv1.OrderRecord // nil: order knows no such id
	heardOK   map[string]bool                 // the customer was told that all is well
	charges   map[string][]int64              // cents
	refunds   map[string][]int64
	shipments map[string]int // that were not called back
}

func newBooks() books {
	return books{
		orders: map[string]*orderv1.OrderRecord{}, heardOK: map[string]bool{}, charges: map[string][]int64{},
		refunds: map[string][]int64{}, shipments: map[string]int{},
	}
}

// tally is how many of each there are; what must not be has examples.
type tally struct {
	orders, done, cancelled, charges, refunded, shipments int
	wrong                                                 map[string][]string
}

func (t *tally) blame(what, id string) { t.wrong[what] = append(t.wrong[what], id) }

// reconcile compares the books: no id is charged twice, none without an order that is done unless all was given back, none
// shipped without being paid, none left open, and none was promised in vain.
func (b books) reconcile() tally {
	t := tally{wrong: map[string][]string{}}
	for id, order := range b.orders {
		t.count(order)
		b.judge(&t, id, order)
	}
	for id := range b.charges {
		t.charges += len(b.charges[id])
		if _, known := b.orders[id]; !known {
			t.blame("charged without an order", id)
		}
	}
	for id := range b.shipments {
		t.shipments += b.shipments[id]
		if _, known := b.orders[id]; !known {
			t.blame("shipped without an order", id)
		}
	}
	return t
}

func (t *tally) count(order *orderv1.OrderRecord) {
	t.orders++
	switch order.GetStatus() {
	case orderv1.OrderStatus_ORDER_STATUS_DONE:
		t.done++
	case orderv1.OrderStatus_ORDER_STATUS_CANCELLED:
		t.cancelled++
		if order.GetRefundedCents() > 0 {
			t.refunded++
		}
	}
}

func (b books) judge(t *tally, id string, order *orderv1.OrderRecord) {
	done := order.GetStatus() == orderv1.OrderStatus_ORDER_STATUS_DONE
	cancelled := order.GetStatus() == orderv1.OrderStatus_ORDER_STATUS_CANCELLED
	taken := sum(b.charges[id])
	if len(b.refunds[id]) > 0 {
		taken -= sum(b.refunds[id])
	}
	if len(b.charges[id]) > 1 {
		t.blame("charged twice", id)
	}
	if len(b.refunds[id]) > 1 {
		t.blame("refunded twice", id)
	}
	if order == nil && len(b.charges[id]) > 0 {
		t.blame("charged without an order", id)
	}
	if order != nil && !done && !cancelled {
		t.blame("left open", id)
	}
	if done && taken != total(order) {
		t.blame("done and not paid", id)
	}
	if !done && taken != 0 {
		t.blame("paid and not done", id)
	}
	if done && b.shipments[id] != 1 {
		t.blame("done and not shipped once", id)
	}
	if !done && b.shipments[id] != 0 {
		t.blame("shipped and not done", id)
	}
	if b.heardOK[id] && !done {
		t.blame("promised and not done", id)
	}
}

func total(order *orderv1.OrderRecord) int64 {
	var cents int64
	for _, item := range order.GetItems() {
		cents += item.GetUnitPriceCents() * int64(item.GetQuantity())
	}
	return cents
}

func sum(cents []int64) int64 {
	var all int64
	for _, one := range cents {
		all += one
	}
	return all
}

// readLedgers adds what payments and shippings have on their disks.
func (b books) readLedgers(t testing.TB, ledger, shipments string) {
	t.Helper()
	for words := range linesOf(t, filepath.Join(ledger, "*.ledger")) {
		b.charges[words[0]] = append(b.charges[words[0]], number(t, words[2]))
	}
	for words := range linesOf(t, filepath.Join(ledger, "*.refunds")) {
		b.refunds[words[0]] = append(b.refunds[words[0]], number(t, words[1]))
	}
	cancelled := map[string]bool{}
	for words := range linesOf(t, filepath.Join(shipments, "*.shipments")) {
		if words[1] == "shipped" {
			b.shipments[words[0]]++
		} else {
			cancelled[words[0]] = true
		}
	}
	for id := range cancelled {
		delete(b.shipments, id)
	}
}

func linesOf(t testing.TB, pattern string) func(yield func([]string) bool) {
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
	}
	return func(yield func([]string) bool) {
		for _, path := range paths {
			lines, err := journal.Lines(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, words := range lines {
				if !yield(words) {
					return
				}
			}
		}
	}
}

func number(t testing.TB, word string) int64 {
	value, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (t tally) check(tb testing.TB) {
	tb.Helper()
	for what, ids := range t.wrong {
		slices.Sort(ids)
		tb.Errorf("%d %s, such as %v", len(ids), what, ids[:min(5, len(ids))])
	}
}

func (t tally) String() string {
	return fmt.Sprintf("%d orders: %d done, %d cancelled, of which %d were given money back; %d charges, %d shipments",
		t.orders, t.done, t.cancelled, t.refunded, t.charges, t.shipments)
}

// TestReconcileFindsEachFault plants one at a time.
func TestReconcileFindsEachFault(t *testing.T) {
	const id = "a"
	record := func(status orderv1.OrderStatus) *orderv1.OrderRecord {
		return &orderv1.OrderRecord{Id: id, Status: status, Items: []*orderv1.Item{{UnitPriceCents: 5, Quantity: 2}}}
	}
	done, cancelled := record(orderv1.OrderStatus_ORDER_STATUS_DONE), record(orderv1.OrderStatus_ORDER_STATUS_CANCELLED)
	for _, c := range []struct {
		wrong   string // "": nothing
		order   *orderv1.OrderRecord
		unknown bool
		charges []int64
		refunds []int64
		shipped int
		heardOK bool
	}{
		{wrong: "", order: done, charges: []int64{10}, shipped: 1, heardOK: true},
		{wrong: "", order: cancelled},
		{wrong: "", order: cancelled, charges: []int64{10}, refunds: []int64{10}},
		{wrong: "", order: cancelled, refunds: []int64{0}},
		{wrong: "", order: nil},
		{wrong: "charged twice", order: cancelled, charges: []int64{10, 10}, refunds: []int64{20}},
		{wrong: "refunded twice", order: cancelled, charges: []int64{10}, refunds: []int64{10, 0}},
		{wrong: "charged without an order", unknown: true, charges: []int64{10}},
		{wrong: "shipped without an order", unknown: true, shipped: 1},
		{wrong: "charged without an order", order: nil, charges: []int64{10}, refunds: []int64{10}},
		{wrong: "left open", order: record(orderv1.OrderStatus_ORDER_STATUS_CHARGING)},
		{wrong: "done and not paid", order: done, shipped: 1},
		{wrong: "done and not paid", order: done, charges: []int64{10}, refunds: []int64{10}, shipped: 1},
		{wrong: "paid and not done", order: cancelled, charges: []int64{10}},
		{wrong: "done and not shipped once", order: done, charges: []int64{10}},
		{wrong: "done and not shipped once", order: done, charges: []int64{10}, shipped: 2},
		{wrong: "shipped and not done", order: cancelled, shipped: 1},
		{wrong: "promised and not done", order: cancelled, heardOK: true},
	} {
		b := newBooks()
		if !c.unknown {
			b.orders[id] = c.order
		}
		b.heardOK[id], b.charges[id], b.refunds[id] = c.heardOK, c.charges, c.refunds
		if c.shipped > 0 {
			b.shipments[id] = c.shipped
		}
		if len(c.charges) == 0 {
			delete(b.charges, id)
		}
		got := b.reconcile()
		if (c.wrong == "" && len(got.wrong) > 0) || (c.wrong != "" && len(got.wrong[c.wrong]) != 1) {
			t.Errorf("expected %q, found %v in %+v", c.wrong, got.wrong, c)
		}
	}
}
