package domain

import (
	"errors"
	"fmt"
)

// Status is how far an order has come. Each is kept before what follows it is begun:
//
//	pending --> charging --> paid --> done
//	               | \         |
//	               |  v        v
//	               |  cancelling
//	               v    v
//	              cancelled
//
// In charging, a charge may have been sent: payment is asked, and never again charged. In paid and cancelling, what is to
// be done may be done again.
type Status string

const (
	Pending    Status = "pending"
	Charging   Status = "charging"
	Paid       Status = "paid"
	Done       Status = "done"
	Cancelling Status = "cancelling"
	Cancelled  Status = "cancelled"
)

// Finished tells that nothing is left to do.
func (o Order) Finished() bool { return o.Status == Done || o.Status == Cancelled }

// ToCharge is the order before its charge is sent.
func (o Order) ToCharge() Order {
	o.Status = Charging
	return o
}

// AfterCharge is the order once payment has answered: who charged it, or an error.
func (o Order) AfterCharge(chargedBy string, err error) Order {
	switch {
	case err == nil:
		o.Status, o.ChargedBy = Paid, chargedBy
	case IsRefused(err):
		o.Status, o.Why = Cancelled, err.Error()
	}
	return o
}

// AfterLookup is an order in charging once payment has said who charged it; "" when nobody has, so far.
func (o Order) AfterLookup(chargedBy string) Order {
	if chargedBy == "" {
		o.Status, o.Why = Cancelling, "nobody knew what had become of its charge"
		return o
	}
	o.Status, o.ChargedBy = Paid, chargedBy
	return o
}

// AfterShip is the order once shipping has answered: the tracking of the shipment, or an error.
func (o Order) AfterShip(tracking string, err error) Order {
	switch {
	case err == nil:
		o.Status, o.Tracking = Done, tracking
	case IsRefused(err):
		o.Status, o.Why = Cancelling, err.Error()
	}
	return o
}

// MayBeShipped tells that a shipment is to be called back before the order is cancelled.
func (o Order) MayBeShipped() bool { return o.ChargedBy != "" }

// AfterRefund is the order once all was given back.
func (o Order) AfterRefund(cents int64) Order {
	o.Status, o.RefundedCents = Cancelled, cents
	return o
}

// RefusedError is the error of a step that certainly was not made and never will be. Any other error leaves it open.
type RefusedError struct {
	Why   string
	Cause error
}

func (e *RefusedError) Error() string { return e.Why }

// Unwrap returns all that was said.
func (e *RefusedError) Unwrap() error { return e.Cause }

// IsRefused tells that an error says so.
func IsRefused(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// Step is what an order has done by others.
type Step string

const (
	Payment  Step = "payment"
	Shipping Step = "shipping"
)

// StepError is returned for an order that was kept, but of which a step failed.
type StepError struct {
	Order Order
	Step  Step
	Cause error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("order %s is %s, %s said: %v", e.Order.ID, e.Order.Status, e.Step, e.Cause)
}

// Unwrap returns why the step failed.
func (e *StepError) Unwrap() error { return e.Cause }

// StoreError means that the database failed: what was to be kept may be kept or not.
type StoreError struct{ Cause error }

func (e *StoreError) Error() string { return "order database: " + e.Cause.Error() }

// Unwrap returns what the database said.
func (e *StoreError) Unwrap() error { return e.Cause }
