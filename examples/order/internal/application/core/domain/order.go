// Package domain holds what an order is, and how the answers of payment and shipping change it.
package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	longestName  = 128
	mostItems    = 100
	mostCents    = 100_000_000 // of one product
	mostQuantity = 10_000
)

var (
	// ErrNotFound means that there is no order under an id.
	ErrNotFound = errors.New("no such order")
	// ErrExists means that the id of a new order is taken.
	ErrExists = errors.New("an order with this id exists")
	// ErrChanged means that someone else has gone on with the order meanwhile.
	ErrChanged = errors.New("someone else goes on with this order")
)

// Item is one line of an order.
type Item struct {
	Product        string
	UnitPriceCents int64
	Quantity       int32
}

// Order is what a customer wants, and what became of it.
type Order struct {
	ID            string
	Customer      string
	Items         []Item
	Status        Status
	ChargedBy     string // the payment instance, once it is known that there was a charge
	Tracking      string // the shipment, when done
	Why           string // why it is or will be cancelled
	RefundedCents int64  // what was given back
	CreatedAt     time.Time

	Version   int64     // grows with each change that is kept
	HeldUntil time.Time // until then whoever kept it last goes on with it
}

// TotalCents is what the order costs.
func (o Order) TotalCents() int64 {
	var total int64
	for _, item := range o.Items {
		total += item.UnitPriceCents * int64(item.Quantity)
	}
	return total
}

// FieldError says which field of a request cannot be, and why.
type FieldError struct {
	Field string
	Why   string
}

// InvalidError names everything that is wrong with an order.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string {
	var all []string
	for _, field := range e.Fields {
		all = append(all, field.Field+": "+field.Why)
	}
	return strings.Join(all, "; ")
}

func (e *InvalidError) add(field, why string) { e.Fields = append(e.Fields, FieldError{field, why}) }

// Check returns an InvalidError when the order makes no sense.
func (o Order) Check() error {
	var wrong InvalidError
	wrong.checkName("id", o.ID)
	wrong.checkName("customer", o.Customer)
	if len(o.Items) == 0 || len(o.Items) > mostItems {
		wrong.add("items", fmt.Sprintf("must be 1 to %d", mostItems))
	}
	for i, item := range o.Items {
		at := fmt.Sprintf("items[%d].", i)
		if item.Product == "" {
			wrong.add(at+"product", "must not be empty")
		}
		if item.UnitPriceCents <= 0 || item.UnitPriceCents > mostCents {
			wrong.add(at+"unit_price_cents", fmt.Sprintf("must be 1 to %d", mostCents))
		}
		if item.Quantity <= 0 || item.Quantity > mostQuantity {
			wrong.add(at+"quantity", fmt.Sprintf("must be 1 to %d", mostQuantity))
		}
	}
	if len(wrong.Fields) > 0 {
		return &wrong
	}
	return nil
}

func (e *InvalidError) checkName(field, value string) {
	switch {
	case value == "":
		e.add(field, "must not be empty")
	case len(value) > longestName:
		e.add(field, fmt.Sprintf("must not be longer than %d bytes", longestName))
	case strings.ContainsAny(value, " \t\r\n"):
		e.add(field, "must not hold white space")
	}
}
