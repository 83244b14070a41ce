// Package domain holds what a charge is, and which charges make sense.
package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Ids and customers longer than this are refused.
const longestName = 128

var (
	// ErrNotFound means that nothing was charged under an id.
	ErrNotFound = errors.New("nothing was charged under this id")
	// ErrRefunded means that all that is charged under an id has been, or would be, given back.
	ErrRefunded = errors.New("this id was refunded, nothing is charged under it any more")
	// ErrTooSlow means that a watcher did not take its charges fast enough.
	ErrTooSlow = errors.New("the watcher is too slow")
	// ErrStopping means that this instance is about to end.
	ErrStopping = errors.New("this instance is stopping")
)

// Charge is money taken, once.
type Charge struct {
	ID          string
	Customer    string
	AmountCents int64
	Instance    string // who took it
	ChargedAt   time.Time
}

// Refund is all money that was taken under an id, given back, once.
type Refund struct {
	ID          string
	AmountCents int64 // 0 when nothing had been charged
	Instance    string
	RefundedAt  time.Time
}

// Check returns a FieldError when the refund makes no sense.
func (r Refund) Check() error { return checkName("id", r.ID) }

// FieldError says which field of a request cannot be, and why.
type FieldError struct {
	Field string
	Why   string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Why) }

// Check returns a FieldError when the charge makes no sense.
func (c Charge) Check() error {
	if err := checkName("id", c.ID); err != nil {
		return err
	}
	if err := checkName("customer", c.Customer); err != nil {
		return err
	}
	if c.AmountCents <= 0 {
		return &FieldError{"amount_cents", "must be more than 0"}
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
