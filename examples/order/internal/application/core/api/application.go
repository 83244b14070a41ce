// Package api is the core of order: an order is kept before it is charged, and what became of the charge is kept after.
package api

import (
	"context"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// The result of a charge is kept even when the caller has gone or its time is over; this long may that take.
const keepTime = 5 * time.Second

// Application implements ports.API.
type Application struct {
	db      ports.DB
	payment ports.Payment
	now     func() time.Time
}

var _ ports.API = (*Application)(nil)

// New makes the core.
func New(db ports.DB, payment ports.Payment) *Application {
	return &Application{db: db, payment: payment, now: time.Now}
}

// Place implements ports.API.
func (a *Application) Place(ctx context.Context, order domain.Order) (domain.Order, error) {
	if err := order.Check(); err != nil {
		return domain.Order{}, err
	}
	order.Status = domain.Pending
	order.CreatedAt = a.now()
	if err := a.db.Insert(ctx, order); err != nil {
		return domain.Order{}, err
	}
	chargedBy, chargeError := a.payment.Charge(ctx, order)
	order = order.AfterCharge(chargedBy, chargeError)
	if err := a.keep(ctx, order); err != nil {
		return domain.Order{}, err
	}
	if chargeError != nil {
		return domain.Order{}, &domain.ChargeError{Order: order, Cause: chargeError}
	}
	return order, nil
}

// Get implements ports.API.
func (a *Application) Get(ctx context.Context, id string) (domain.Order, error) {
	return a.db.Get(ctx, id)
}

// Settle implements ports.API.
func (a *Application) Settle(ctx context.Context, id string) (domain.Order, error) {
	order, err := a.db.Get(ctx, id)
	if err != nil || order.Status != domain.Uncertain {
		return order, err
	}
	chargedBy, err := a.payment.ChargedBy(ctx, id)
	if err != nil {
		return domain.Order{}, err
	}
	order.Status, order.ChargedBy = domain.Paid, chargedBy
	if chargedBy == "" {
		order.Status = domain.Unpaid
	}
	return order, a.keep(ctx, order)
}

func (a *Application) keep(ctx context.Context, order domain.Order) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	return a.db.SetPayment(ctx, order)
}
