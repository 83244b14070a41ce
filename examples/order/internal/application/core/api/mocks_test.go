package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// dbMock keeps orders in memory, and each status that an order had.
type dbMock struct {
	mutex  sync.Mutex
	orders map[string]domain.Order
	past   []domain.Status
	fails  map[domain.Status]error // keeping an order in this status
}

func newDB(orders ...domain.Order) *dbMock {
	d := &dbMock{orders: map[string]domain.Order{}, fails: map[domain.Status]error{}}
	for _, order := range orders {
		d.orders[order.ID] = order
	}
	return d
}

func (d *dbMock) Insert(_ context.Context, order domain.Order) error {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if _, taken := d.orders[order.ID]; taken {
		return domain.ErrExists
	}
	return d.put(order)
}

func (d *dbMock) Update(ctx context.Context, order domain.Order) (domain.Order, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.orders[order.ID].Version != order.Version {
		return domain.Order{}, domain.ErrChanged
	}
	order.Version++
	if err := ctx.Err(); err != nil {
		return domain.Order{}, err
	}
	return order, d.put(order)
}

func (d *dbMock) put(order domain.Order) error {
	if err := d.fails[order.Status]; err != nil {
		return &domain.StoreError{Cause: err}
	}
	d.orders[order.ID] = order
	d.past = append(d.past, order.Status)
	return nil
}

func (d *dbMock) Get(_ context.Context, id string) (domain.Order, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	order, found := d.orders[id]
	if !found {
		return domain.Order{}, domain.ErrNotFound
	}
	return order, nil
}

func (d *dbMock) Unheld(_ context.Context, now time.Time, most int) ([]string, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if err := d.fails[""]; err != nil {
		return nil, err
	}
	var ids []string
	for id, order := range d.orders {
		if !order.Finished() && !order.HeldUntil.After(now) && len(ids) < most {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// called counts calls by name, and gives each the error it was made with. A hook runs in the middle of a call.
type called struct {
	mutex sync.Mutex
	calls []string
	errs  map[string]error
	hooks map[string]func()
}

func (c *called) on(name string) error {
	c.mutex.Lock()
	c.calls = append(c.calls, name)
	hook := c.hooks[name]
	c.mutex.Unlock()
	if hook != nil {
		hook()
	}
	return c.errs[name]
}

// others mocks payment and shipping: they give the answers they were made with, and remember the questions.
type others struct {
	called
	chargedBy string // says ChargedBy
	tracking  string // says Tracking
	cents     int64  // says Refund
}

func newOthers(errs map[string]error) *others {
	return &others{called: called{errs: errs, hooks: map[string]func(){}}}
}

func (o *others) Charge(context.Context, domain.Order) (string, error) {
	return "payment-1", o.on("charge")
}

func (o *others) ChargedBy(context.Context, string) (string, error) {
	return o.chargedBy, o.on("charged?")
}

func (o *others) Refund(context.Context, string) (int64, error) { return o.cents, o.on("refund") }

func (o *others) Ship(context.Context, domain.Order) (string, error) { return "T1", o.on("ship") }

func (o *others) Tracking(context.Context, string) (string, error) {
	return o.tracking, o.on("shipped?")
}

func (o *others) CallBack(context.Context, string) error { return o.on("call back") }

func tea(id string) domain.Order {
	return domain.Order{ID: id, Customer: "ada", Items: []domain.Item{{Product: "tea", UnitPriceCents: 995, Quantity: 2}}}
}

func teaIn(status domain.Status) domain.Order {
	order := tea("a")
	order.Status = status
	if status == domain.Paid {
		order.ChargedBy = "payment-1"
	}
	return order
}

func newCore(db *dbMock, o *others) *Application { return New(db, o, o, time.Second) }
