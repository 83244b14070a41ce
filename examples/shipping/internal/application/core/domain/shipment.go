// Package domain holds what a shipment is, and which ones make sense.
package domain

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	longestName = 128
	mostParcels = 100
)

var (
	// ErrNotFound means that nothing was shipped under an id.
	ErrNotFound = errors.New("nothing was shipped under this id")
	// ErrCancelled means that nothing is shipped under an id any more.
	ErrCancelled = errors.New("the shipment of this id was cancelled")
)

// Parcel is one product of a shipment.
type Parcel struct {
	Product  string
	Quantity int32
}

// Shipment is the goods of one order on their way.
type Shipment struct {
	ID        string // that of the order
	Customer  string
	Parcels   []Parcel // not kept
	Tracking  string   // "" when it was cancelled before it was shipped
	ShippedAt time.Time
	Cancelled bool
}

// StockError means that a product cannot be shipped, and never will be.
type StockError struct{ Product string }

func (e *StockError) Error() string { return e.Product + " is out of stock" }

// FieldError says which field of a request cannot be, and why.
type FieldError struct {
	Field string
	Why   string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Why) }

// Check returns a FieldError when the shipment makes no sense.
func (s Shipment) Check() error {
	if err := CheckName("id", s.ID); err != nil {
		return err
	}
	if err := CheckName("customer", s.Customer); err != nil {
		return err
	}
	if len(s.Parcels) == 0 || len(s.Parcels) > mostParcels {
		return &FieldError{"parcels", fmt.Sprintf("must be 1 to %d", mostParcels)}
	}
	for i, parcel := range s.Parcels {
		if parcel.Product == "" || parcel.Quantity <= 0 {
			return &FieldError{fmt.Sprintf("parcels[%d]", i), "needs a product and a quantity"}
		}
	}
	return nil
}

// CheckName returns a FieldError for what cannot be an id or a customer.
func CheckName(field, value string) error {
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
