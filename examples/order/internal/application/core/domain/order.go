// Package domain holds what an order is and how the answer of payment changes it.
package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	longestName = 128
	mostItems   = 100
)

var (
	// ErrNotFound means that there is no order under an id.
	ErrNotFound = errors.New("no such order")
	// ErrExists means that the id of a new order is taken.
	ErrExists = errors.New("an order with this id exists")
)

// Status says what is known about the money.
type Status string

// An order begins Pending. A charge that ends without a clear answer makes it Uncertain until it is settled.
const (
	Pending   Status = "pending"
	Paid      Status = "paid"
	Unpaid    Status = "unpaid" // nothing was charged
	Uncertain Status = "uncertain"
)

// Item is one line of an order.
type Item struct {
	Product        string
	UnitPriceCents int64
	Quantity       int32
}

// Order is what a customer wants.
type Order struct {
	ID        string
	Customer  string
	Items     []Item
	Status    Status
	ChargedBy string // the payment instance, when paid
	CreatedAt time.Time
}

// TotalCents is what the order costs.
func (o Order) TotalCents() int64 {
	var total int64
	for _, item := range o.Items {
		total += item.UnitPriceCents * int64(item.Quantity)
	}
	return total
}

// AfterCharge is the order once payment has answered: who charged it, or an error.
func (o Order) AfterCharge(chargedBy string, err error) Order {
	var refused *RefusedError
	switch {
	case err == nil:
		o.Status, o.ChargedBy = Paid, chargedBy
	case errors.As(err, &refused):
		o.Status = Unpaid
	default:
		o.Status = Uncertain
	}
	return o
}

// RefusedError is the error of a charge that certainly was not made. Any other error leaves it open.
type RefusedError struct{ Cause error }

func (e *RefusedError) Error() string { return e.Cause.Error() }

// Unwrap returns what payment said.
func (e *RefusedError) Unwrap() error { return e.Cause }

// ChargeError is returned for an order that was kept, but whose charge failed.
type ChargeError struct {
	Order Order
	Cause error
}

func (e *ChargeError) Error() string {
	return fmt.Sprintf("order %s is %s: %v", e.Order.ID, e.Order.Status, e.Cause)
}

// Unwrap returns why the charge failed.
func (e *ChargeError) Unwrap() error { return e.Cause }

// FieldError says which field of a request cannot be, and why.
type FieldError struct {
	Field string
	Why   string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Why) }

// Check returns a FieldError when the order makes no sense.
func (o Order) Check() error {
	if err := checkName("id", o.ID); err != nil {
		return err
	}
	if err := checkName("customer", o.Customer); err != nil {
		return err
	}
	if len(o.Items) == 0 || len(o.Items) > mostItems {
		return &FieldError{"items", fmt.Sprintf("must be 1 to %d", mostItems)}
	}
	for i, item := range o.Items {
		if item.Product == "" || item.UnitPriceCents <= 0 || item.Quantity <= 0 {
			return &FieldError{fmt.Sprintf("items[%d]", i), "needs a product, a price and a quantity"}
		}
	}
	return nil
}

func checkName(field, value string) error {
	switch {
	case value == "":
		return &FieldError{field, "must not be empty"}
	case len(value) > longestName:
		return &FieldError{field, fmt.Sprintf("must not be longer than %d bytes", longestName)}
	case strings.ContainsAny(value, " \t\r\n"):
		return &FieldError{field, "must not hold white space"}
	}
	return nil
}
