package api

import (
	"context"
	"errors"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// goOn takes an order that this process holds as far as it comes, and lets go of it. It returns the order as it is kept, and
// the first error that a step or the database gave.
func (a *Application) goOn(ctx context.Context, order domain.Order) (domain.Order, error) {
	var first *domain.StepError
	mayCharge := false
	for !order.Finished() {
		next, err := a.step(ctx, order, mayCharge)
		if err != nil && first == nil {
			first = &domain.StepError{Step: stepOf(order), Cause: err}
		}
		stuck := next.Status == order.Status
		kept, err := a.keepStep(ctx, order, next)
		if err != nil && first == nil {
			first = &domain.StepError{Step: stepOf(order), Cause: err}
		}
		mayCharge = order.Status == domain.Pending // who has moved it to charging charges it, and nobody else
		order = kept
		if stuck || err != nil {
			break
		}
	}
	if first == nil {
		return order, nil
	}
	first.Order = order
	return order, first
}

func stepOf(order domain.Order) domain.Step {
	if order.MayBeShipped() {
		return domain.Shipping
	}
	return domain.Payment
}

// step makes the next step of an order. It comes back with the same status when nobody knows what became of the step.
func (a *Application) step(ctx context.Context, order domain.Order, mayCharge bool) (domain.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, a.stepTime)
	defer cancel()
	switch order.Status {
	case domain.Pending:
		return order.ToCharge(), nil
	case domain.Charging:
		if mayCharge {
			return a.charge(ctx, order)
		}
		return a.askPayment(ctx, order)
	case domain.Paid:
		return a.ship(ctx, order)
	case domain.Cancelling:
		return a.takeBack(ctx, order)
	}
	return order, nil
}

// charge is called once for each order. Where payment does not say what it did, it is asked.
func (a *Application) charge(ctx context.Context, order domain.Order) (domain.Order, error) {
	chargedBy, err := a.payment.Charge(ctx, order)
	if err == nil || domain.IsRefused(err) {
		return order.AfterCharge(chargedBy, err), err
	}
	asked, askError := a.askPayment(ctx, order)
	if askError == nil && asked.Status == domain.Paid {
		return asked, nil
	}
	return asked, err
}

// askPayment finds out what became of a charge. That there is none yet means little, as it may still be on its way; the order
// is cancelled, which has it refused.
func (a *Application) askPayment(ctx context.Context, order domain.Order) (domain.Order, error) {
	chargedBy, err := a.payment.ChargedBy(ctx, order.ID)
	if err != nil {
		return order, err
	}
	return order.AfterLookup(chargedBy), nil
}

func (a *Application) ship(ctx context.Context, order domain.Order) (domain.Order, error) {
	tracking, err := a.shipping.Ship(ctx, order)
	if err == nil || domain.IsRefused(err) {
		return order.AfterShip(tracking, err), err
	}
	tracking, askError := a.shipping.Tracking(ctx, order.ID)
	if askError != nil || tracking == "" {
		return order, err // shipping it again does no harm
	}
	return order.AfterShip(tracking, nil), nil
}

// takeBack calls the goods back before the money goes back.
func (a *Application) takeBack(ctx context.Context, order domain.Order) (domain.Order, error) {
	if order.MayBeShipped() {
		if err := a.shipping.CallBack(ctx, order.ID); err != nil {
			return order, err
		}
	}
	cents, err := a.payment.Refund(ctx, order.ID)
	if err != nil {
		return order, err
	}
	return order.AfterRefund(cents), nil
}

// keepStep keeps what became of a step, lets go of an order that is stuck or finished, and returns what is kept: what was
// before when the database fails, or what someone else has made of the order meanwhile.
func (a *Application) keepStep(ctx context.Context, before, next domain.Order) (domain.Order, error) {
	next.HeldUntil = a.held()
	if next.Status == before.Status {
		next.HeldUntil = a.now()
	}
	if next.Finished() {
		next.HeldUntil = time.Time{}
	}
	kept, err := a.update(ctx, next)
	if err == nil {
		return kept, nil
	}
	if theirs, getError := a.Get(ctx, next.ID); errors.Is(err, domain.ErrChanged) && getError == nil {
		return theirs, err
	}
	return before, err
}
