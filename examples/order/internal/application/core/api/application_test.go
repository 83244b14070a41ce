package api

import (
	"context"
	"errors"
	"testing"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// dbMock keeps orders in memory.
type dbMock struct{ orders map[string]domain.Order }

func newDB() *dbMock { return &dbMock{orders: map[string]domain.Order{}} }

func (d *dbMock) Insert(_ context.Context, order domain.Order) error {
	if _, taken := d.orders[order.ID]; taken {
		return domain.ErrExists
	}
	d.orders[order.ID] = order
	return nil
}

func (d *dbMock) SetPayment(ctx context.Context, order domain.Order) error {
	d.orders[order.ID] = order
	return ctx.Err()
}

func (d *dbMock) Get(_ context.Context, id string) (domain.Order, error) {
	order, found := d.orders[id]
	if !found {
		return domain.Order{}, domain.ErrNotFound
	}
	return order, nil
}

// paymentMock gives the answers it was made with, and counts the questions.
type paymentMock struct {
	chargedBy string
	err       error
	charges   int
	lookups   int
	before    func()
}

func (p *paymentMock) Charge(context.Context, domain.Order) (string, error) {
	p.charges++
	if p.before != nil {
		p.before()
	}
	return p.chargedBy, p.err
}

func (p *paymentMock) ChargedBy(context.Context, string) (string, error) {
	p.lookups++
	return p.chargedBy, p.err
}

func tea(id string) domain.Order {
	return domain.Order{ID: id, Customer: "ada", Items: []domain.Item{{Product: "tea", UnitPriceCents: 995, Quantity: 2}}}
}

func TestPlaceKeepsWhatPaymentSaid(t *testing.T) {
	broken := errors.New("connection broke")
	cases := []struct {
		name      string
		chargedBy string
		err       error
		want      domain.Status
	}{
		{"paid", "payment-1", nil, domain.Paid},
		{"refused", "", &domain.RefusedError{Cause: broken}, domain.Unpaid},
		{"nobody knows", "", broken, domain.Uncertain},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, payment := newDB(), &paymentMock{chargedBy: c.chargedBy, err: c.err}
			order, err := New(db, payment).Place(context.Background(), tea("a"))
			var charge *domain.ChargeError
			switch {
			case c.err == nil && (err != nil || order.Status != domain.Paid || order.TotalCents() != 1990):
				t.Fatalf("placed %+v, %v", order, err)
			case c.err != nil && (!errors.As(err, &charge) || !errors.Is(err, broken)):
				t.Fatalf("error = %v", err)
			}
			if kept := db.orders["a"]; kept.Status != c.want || kept.ChargedBy != c.chargedBy {
				t.Fatalf("kept %+v", kept)
			}
			if payment.charges != 1 {
				t.Fatalf("charged %d times", payment.charges)
			}
		})
	}
}

func TestPlaceKeepsTheResultForACallerThatHasGone(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	db, payment := newDB(), &paymentMock{chargedBy: "payment-1", before: cancel}
	if _, err := New(db, payment).Place(ctx, tea("a")); err != nil {
		t.Fatal(err)
	}
	if kept := db.orders["a"]; kept.Status != domain.Paid {
		t.Fatalf("kept %+v", kept)
	}
}

func TestPlaceThatMustNotCharge(t *testing.T) {
	cases := map[string]domain.Order{
		"taken id":    tea("taken"),
		"no id":       tea(""),
		"no customer": {ID: "a", Items: tea("a").Items},
		"no items":    {ID: "a", Customer: "ada"},
		"free item":   {ID: "a", Customer: "ada", Items: []domain.Item{{Product: "tea", Quantity: 1}}},
	}
	for name, order := range cases {
		t.Run(name, func(t *testing.T) {
			db, payment := newDB(), &paymentMock{}
			db.orders["taken"] = domain.Order{ID: "taken", Status: domain.Paid}
			if _, err := New(db, payment).Place(context.Background(), order); err == nil {
				t.Fatal("no error")
			}
			if payment.charges != 0 || len(db.orders) != 1 {
				t.Fatalf("%d charges, orders %v", payment.charges, db.orders)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	cases := []struct {
		name      string
		status    domain.Status
		chargedBy string
		err       error
		want      domain.Status
		lookups   int
	}{
		{"was charged", domain.Uncertain, "payment-2", nil, domain.Paid, 1},
		{"was not charged", domain.Uncertain, "", nil, domain.Unpaid, 1},
		{"payment does not answer", domain.Uncertain, "", errors.New("down"), domain.Uncertain, 1},
		{"is paid", domain.Paid, "", nil, domain.Paid, 0},
		{"is pending", domain.Pending, "", nil, domain.Pending, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, payment := newDB(), &paymentMock{chargedBy: c.chargedBy, err: c.err}
			order := tea("a")
			order.Status = c.status
			db.orders["a"] = order
			got, err := New(db, payment).Settle(context.Background(), "a")
			if !errors.Is(err, c.err) || (err == nil && got.Status != c.want) {
				t.Fatalf("settled %+v, %v", got, err)
			}
			if kept := db.orders["a"]; kept.Status != c.want || kept.ChargedBy != c.chargedBy {
				t.Fatalf("kept %+v", kept)
			}
			if payment.lookups != c.lookups || payment.charges != 0 {
				t.Fatalf("%d lookups, %d charges", payment.lookups, payment.charges)
			}
		})
	}
	if _, err := New(newDB(), &paymentMock{}).Settle(context.Background(), "none"); !errors.Is(err, domain.ErrNotFound) {
		t.Fatalf("error = %v", err)
	}
}
