// Package api is the core of order: each order is taken from step to step, and how far it has come is kept before the next
// step is begun, so that any process can go on with it.
package api

import (
	"context"
	"errors"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Application implements ports.API.
type Application struct {
	db       ports.DB
	payment  ports.Payment
	shipping ports.Shipping
	stepTime time.Duration
	now      func() time.Time
}

var _ ports.API = (*Application)(nil)

// New makes the core. A step may take stepTime, and so may keeping what became of it; an order is held for twice that.
func New(db ports.DB, payment ports.Payment, shipping ports.Shipping, stepTime time.Duration) *Application {
	return &Application{db: db, payment: payment, shipping: shipping, stepTime: stepTime, now: time.Now}
}

// Place implements ports.API.
func (a *Application) Place(ctx context.Context, order domain.Order) (domain.Order, error) {
	if err := order.Check(); err != nil {
		return domain.Order{}, err
	}
	order.Status = domain.Pending
	order.CreatedAt = a.now()
	order.HeldUntil = a.held()
	if err := a.insert(ctx, order); err != nil {
		return domain.Order{}, err
	}
	order, err := a.goOn(ctx, order)
	if order.Status == domain.Done {
		return order, nil
	}
	return domain.Order{}, err
}

// Get implements ports.API.
func (a *Application) Get(ctx context.Context, id string) (domain.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, a.stepTime)
	defer cancel()
	return a.db.Get(ctx, id)
}

// Settle implements ports.API.
func (a *Application) Settle(ctx context.Context, id string) (domain.Order, error) {
	order, err := a.Get(ctx, id)
	if err != nil || order.Finished() || order.HeldUntil.After(a.now()) {
		return order, err
	}
	order.HeldUntil = a.held()
	order, err = a.update(ctx, order)
	if errors.Is(err, domain.ErrChanged) {
		return a.Get(ctx, id)
	}
	if err != nil {
		return domain.Order{}, err
	}
	order, err = a.goOn(ctx, order)
	if order.Finished() {
		return order, nil // cancelled is an end, too
	}
	return order, err
}

func (a *Application) held() time.Time { return a.now().Add(2 * a.stepTime) }

func (a *Application) insert(ctx context.Context, order domain.Order) error {
	ctx, cancel := context.WithTimeout(ctx, a.stepTime)
	defer cancel()
	return a.db.Insert(ctx, order)
}

// update keeps an order even when the caller has gone or its time is over.
func (a *Application) update(ctx context.Context, order domain.Order) (domain.Order, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.stepTime)
	defer cancel()
	return a.db.Update(ctx, order)
}
