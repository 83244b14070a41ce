// Package api is the core of payment: it reviews big charges, records each one, gives back what is to be given back, and
// tells those who watch.
package api

import (
	"context"
	"time"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
	"github.com/outrigger/examples/payment/internal/ports"
)

// Review says which charges are looked at before they are made, and how long that takes.
type Review struct {
	FromCents int64 // charges of at least this much are reviewed; 0 reviews none
	Takes     time.Duration
}

// Application implements ports.API.
type Application struct {
	instance string
	ledger   ports.Ledger
	review   Review
	feed     *feed
	now      func() time.Time
}

var _ ports.API = (*Application)(nil)

// New makes the core of one instance.
func New(instance string, ledger ports.Ledger, review Review) *Application {
	return &Application{instance: instance, ledger: ledger, review: review, feed: newFeed(), now: time.Now}
}

// Charge implements ports.API. A caller whose time ends during the review is not charged.
func (a *Application) Charge(ctx context.Context, charge domain.Charge) (domain.Charge, error) {
	if err := charge.Check(); err != nil {
		return domain.Charge{}, err
	}
	if err := a.reviewCharge(ctx, charge); err != nil {
		return domain.Charge{}, err
	}
	charge.Instance = a.instance
	charge.ChargedAt = a.now()
	if err := a.record(charge); err != nil {
		return domain.Charge{}, err
	}
	a.feed.publish(charge)
	return charge, nil
}

// record holds the id, so that a refund comes wholly before the charge or wholly behind it.
func (a *Application) record(charge domain.Charge) error {
	unlock, err := a.ledger.Lock(charge.ID)
	if err != nil {
		return err
	}
	defer unlock()
	switch _, refunded, err := a.ledger.FindRefund(charge.ID); {
	case err != nil:
		return err
	case refunded:
		return domain.ErrRefunded
	}
	return a.ledger.Append(charge)
}

// Refund implements ports.API.
func (a *Application) Refund(_ context.Context, id string) (domain.Refund, error) {
	refund := domain.Refund{ID: id, Instance: a.instance}
	if err := refund.Check(); err != nil {
		return domain.Refund{}, err
	}
	unlock, err := a.ledger.Lock(id)
	if err != nil {
		return domain.Refund{}, err
	}
	defer unlock()
	before, found, err := a.ledger.FindRefund(id)
	if err != nil || found {
		return before, err
	}
	charges, err := a.ledger.Find(id)
	if err != nil {
		return domain.Refund{}, err
	}
	for _, charge := range charges {
		refund.AmountCents += charge.AmountCents
	}
	refund.RefundedAt = a.now()
	if err := a.ledger.AppendRefund(refund); err != nil {
		return domain.Refund{}, err
	}
	return refund, nil
}

func (a *Application) reviewCharge(ctx context.Context, charge domain.Charge) error {
	if a.review.FromCents > 0 && charge.AmountCents >= a.review.FromCents {
		select {
		case <-ctx.Done():
		case <-time.After(a.review.Takes):
		}
	}
	return ctx.Err()
}

// Find implements ports.API.
func (a *Application) Find(_ context.Context, id string) ([]domain.Charge, bool, error) {
	charges, err := a.ledger.Find(id)
	if err != nil {
		return nil, false, err
	}
	if len(charges) == 0 {
		return nil, false, domain.ErrNotFound
	}
	_, refunded, err := a.ledger.FindRefund(id)
	return charges, refunded, err
}

// Watch implements ports.API.
func (a *Application) Watch(ctx context.Context, ready func(string) error, each func(domain.Charge) error) error {
	watcher := a.feed.join()
	defer a.feed.leave(watcher)
	if err := ready(a.instance); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case charge, open := <-watcher.charges:
			if !open {
				return watcher.why
			}
			if err := each(charge); err != nil {
				return err
			}
		}
	}
}

// Stop ends those who watch.
func (a *Application) Stop() { a.feed.stop() }
