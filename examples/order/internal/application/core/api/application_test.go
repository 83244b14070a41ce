package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

var (
	broken  = errors.New("connection broke")
	refused = &domain.RefusedError{Why: "out of stock", Cause: errors.New("out of stock")}
)

// sagaCase is one way through the saga: what others say, what they are asked, and what is kept.
type sagaCase struct {
	name      string
	from      domain.Status // "": placed; else settled
	errs      map[string]error
	chargedBy string
	tracking  string
	calls     string
	past      string
	step      domain.Step // of the error; "": none
}

var sagaCases = []sagaCase{
	{name: "all is well", calls: "charge, ship", past: "pending, charging, paid, done"},
	{name: "the charge is refused", errs: map[string]error{"charge": refused},
		calls: "charge", past: "pending, charging, cancelled", step: domain.Payment},
	{name: "the answer of the charge is lost", errs: map[string]error{"charge": broken}, chargedBy: "payment-2",
		calls: "charge, charged?, ship", past: "pending, charging, paid, done"},
	{name: "the charge is lost", errs: map[string]error{"charge": broken},
		calls: "charge, charged?, refund", past: "pending, charging, cancelling, cancelled", step: domain.Payment},
	{name: "payment is lost", errs: map[string]error{"charge": broken, "charged?": broken},
		calls: "charge, charged?", past: "pending, charging, charging", step: domain.Payment},
	{name: "the shipment is refused", errs: map[string]error{"ship": refused},
		calls: "charge, ship, call back, refund", past: "pending, charging, paid, cancelling, cancelled", step: domain.Shipping},
	{name: "the answer of the shipment is lost", errs: map[string]error{"ship": broken}, tracking: "T1",
		calls: "charge, ship, shipped?", past: "pending, charging, paid, done"},
	{name: "the shipment is lost", errs: map[string]error{"ship": broken},
		calls: "charge, ship, shipped?", past: "pending, charging, paid, paid", step: domain.Shipping},
	{name: "shipping is lost", errs: map[string]error{"ship": broken, "shipped?": broken}, tracking: "T1",
		calls: "charge, ship, shipped?", past: "pending, charging, paid, paid", step: domain.Shipping},
	{name: "the refund is lost", errs: map[string]error{"ship": refused, "refund": broken},
		calls: "charge, ship, call back, refund", past: "pending, charging, paid, cancelling, cancelling", step: domain.Shipping},
	{name: "the goods cannot be called back", errs: map[string]error{"ship": refused, "call back": broken},
		calls: "charge, ship, call back", past: "pending, charging, paid, cancelling, cancelling", step: domain.Shipping},

	{name: "a pending order", from: domain.Pending, calls: "charge, ship", past: "pending, charging, paid, done"},
	{name: "a charge that was made", from: domain.Charging, chargedBy: "payment-2",
		calls: "charged?, ship", past: "charging, paid, done"},
	{name: "a charge that was not made", from: domain.Charging,
		calls: "charged?, refund", past: "charging, cancelling, cancelled"},
	{name: "payment is still lost", from: domain.Charging, errs: map[string]error{"charged?": broken},
		calls: "charged?", past: "charging, charging", step: domain.Payment},
	{name: "a paid order", from: domain.Paid, calls: "ship", past: "paid, done"},
	{name: "an order to be cancelled", from: domain.Cancelling, calls: "refund", past: "cancelling, cancelled"},
	{name: "an order that is done", from: domain.Done},
	{name: "an order that is cancelled", from: domain.Cancelled},
}

func TestSaga(t *testing.T) {
	for _, c := range sagaCases {
		t.Run(c.name, func(t *testing.T) { c.run(t) })
	}
}

func (c sagaCase) run(t *testing.T) {
	db, others := newDB(), newOthers(c.errs)
	others.chargedBy, others.tracking, others.cents = c.chargedBy, c.tracking, 1990
	core, ctx := newCore(db, others), context.Background()
	var order domain.Order
	var err error
	if c.from == "" {
		order, err = core.Place(ctx, tea("a"))
	} else {
		db.orders["a"] = teaIn(c.from)
		order, err = core.Settle(ctx, "a")
	}
	c.checkError(t, order, err)
	if got := strings.Join(others.calls, ", "); got != c.calls {
		t.Errorf("asked %q, expected %q", got, c.calls)
	}
	if got := joined(db.past); got != c.past {
		t.Errorf("kept %q, expected %q", got, c.past)
	}
	checkKept(t, db.orders["a"])
}

func (c sagaCase) checkError(t *testing.T, order domain.Order, err error) {
	t.Helper()
	var step *domain.StepError
	switch isStep := errors.As(err, &step); {
	case c.step == "" && err != nil, c.step != "" && !isStep:
		t.Errorf("error %v", err)
	case c.step == "" && !order.Finished():
		t.Errorf("no error, and %+v", order)
	case c.step != "" && (step.Step != c.step || step.Order.ID != "a" || step.Error() == ""):
		t.Errorf("error %+v", step)
	case c.step != "" && !errors.Is(err, broken) && !errors.Is(err, refused):
		t.Errorf("the error says nothing of its cause: %v", err)
	}
}

// checkKept holds what must be true of every order that nobody is at work on.
func checkKept(t *testing.T, order domain.Order) {
	t.Helper()
	if order.HeldUntil.After(time.Now()) {
		t.Errorf("still held: %+v", order)
	}
	if order.Status == domain.Done && order.ChargedBy == "" && order.Version > 0 {
		t.Errorf("done, and not charged: %+v", order)
	}
	if order.Status == domain.Cancelled && order.Version > 0 && order.Why == "" && order.RefundedCents == 0 {
		t.Errorf("cancelled, and nobody says why: %+v", order)
	}
}

func joined(statuses []domain.Status) string {
	var all []string
	for _, status := range statuses {
		all = append(all, string(status))
	}
	return strings.Join(all, ", ")
}

func TestPlaceKeepsTheResultForACallerThatHasGone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	db, others := newDB(), newOthers(nil)
	others.hooks["charge"] = cancel
	if _, err := newCore(db, others).Place(ctx, tea("a")); err != nil {
		t.Fatal(err)
	}
	if kept := db.orders["a"]; kept.Status != domain.Done || kept.ChargedBy != "payment-1" || kept.Tracking != "T1" {
		t.Fatalf("kept %+v", kept)
	}
}

func TestPlaceThatMustNotCharge(t *testing.T) {
	long := strings.Repeat("a", 129)
	cases := map[string]struct {
		order  domain.Order
		fields string
	}{
		"taken id":    {tea("taken"), ""},
		"no id":       {tea(""), "id"},
		"long id":     {tea(long), "id"},
		"two words":   {tea("a b"), "id"},
		"no customer": {domain.Order{ID: "a", Items: tea("a").Items}, "customer"},
		"no items":    {domain.Order{ID: "a", Customer: "ada"}, "items"},
		"nothing":     {domain.Order{}, "id, customer, items"},
		"free item": {domain.Order{ID: "a", Customer: "ada", Items: []domain.Item{{Product: "tea", Quantity: 1}}},
			"items[0].unit_price_cents"},
		"endless item": {domain.Order{ID: "a", Customer: "ada", Items: []domain.Item{{UnitPriceCents: 1 << 62, Quantity: 10_001}}},
			"items[0].product, items[0].unit_price_cents, items[0].quantity"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			db, others := newDB(domain.Order{ID: "taken", Status: domain.Paid}), newOthers(nil)
			_, err := newCore(db, others).Place(context.Background(), c.order)
			var invalid *domain.InvalidError
			var fields []string
			if errors.As(err, &invalid) {
				for _, field := range invalid.Fields {
					fields = append(fields, field.Field)
				}
			}
			if err == nil || err.Error() == "" || strings.Join(fields, ", ") != c.fields {
				t.Fatalf("error %v", err)
			}
			if len(others.calls) != 0 || len(db.orders) != 1 {
				t.Fatalf("asked %v, orders %v", others.calls, db.orders)
			}
		})
	}
}

// A database that fails leaves the order where it is, and money where the next who looks finds it.
func TestDatabaseThatFails(t *testing.T) {
	down := errors.New("down")
	for status, calls := range map[domain.Status][]string{
		domain.Pending:  nil,
		domain.Charging: nil, // nobody is charged whose order is not kept
		domain.Paid:     {"charge"},
		domain.Done:     {"charge", "ship"},
	} {
		db, others := newDB(), newOthers(nil)
		db.fails[status] = down
		_, err := newCore(db, others).Place(context.Background(), tea("a"))
		var store *domain.StoreError
		if !errors.As(err, &store) || !errors.Is(err, down) || !strings.Contains(err.Error(), "database") {
			t.Errorf("%s: error %v", status, err)
		}
		if !slices.Equal(others.calls, calls) {
			t.Errorf("%s: asked %v", status, others.calls)
		}
	}
	db := newDB(teaIn(domain.Paid))
	db.fails[domain.Paid] = down
	if _, err := newCore(db, newOthers(nil)).Settle(context.Background(), "a"); !errors.Is(err, down) {
		t.Errorf("settled with %v", err)
	}
}

// Two who go on with the same order: the one that keeps it first wins, and the other makes no step more.
func TestSomeoneElseGoesOn(t *testing.T) {
	db, others := newDB(), newOthers(nil)
	others.hooks["charge"] = func() {
		order := db.orders["a"]
		order.Status, order.Version = domain.Cancelling, order.Version+1
		db.orders["a"] = order
	}
	_, err := newCore(db, others).Place(context.Background(), tea("a"))
	var step *domain.StepError
	if !errors.As(err, &step) || !errors.Is(err, domain.ErrChanged) || step.Order.Status != domain.Cancelling {
		t.Fatalf("error %v", err)
	}
	if !slices.Equal(others.calls, []string{"charge"}) {
		t.Fatalf("asked %v", others.calls)
	}
}

func TestSettleLeavesAHeldOrderAlone(t *testing.T) {
	order := teaIn(domain.Charging)
	order.HeldUntil = time.Now().Add(time.Minute)
	db, others := newDB(order), newOthers(nil)
	core := newCore(db, others)
	got, err := core.Settle(context.Background(), "a")
	if err != nil || got.Status != domain.Charging || len(others.calls) != 0 {
		t.Fatalf("settled %+v, %v, asked %v", got, err, others.calls)
	}
	core.now = func() time.Time { return order.HeldUntil }
	if got, err = core.Settle(context.Background(), "a"); err != nil || got.Status != domain.Cancelled {
		t.Fatalf("settled %+v, %v", got, err)
	}
	if _, err := core.Settle(context.Background(), "none"); !errors.Is(err, domain.ErrNotFound) {
		t.Fatalf("error = %v", err)
	}
	if got, err := core.Get(context.Background(), "a"); err != nil || got.Status != domain.Cancelled {
		t.Fatalf("got %+v, %v", got, err)
	}
}

// changingDB gives an order away between the look at it and the claim.
type changingDB struct{ *dbMock }

func (d changingDB) Update(context.Context, domain.Order) (domain.Order, error) {
	d.orders["a"] = teaIn(domain.Done)
	return domain.Order{}, domain.ErrChanged
}

func TestSettleComesSecond(t *testing.T) {
	others := newOthers(nil)
	core := New(changingDB{newDB(teaIn(domain.Charging))}, others, others, time.Second)
	got, err := core.Settle(context.Background(), "a")
	if err != nil || got.Status != domain.Done || len(others.calls) != 0 {
		t.Fatalf("settled %+v, %v, asked %v", got, err, others.calls)
	}
}
