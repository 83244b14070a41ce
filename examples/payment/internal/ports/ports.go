// Package ports names what the core offers and what it needs.
package ports

import (
	"context"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

// API is what the core offers to whoever calls it.
type API interface {
	// Charge records one charge for each call that returns no error.
	Charge(ctx context.Context, charge domain.Charge) (domain.Charge, error)
	// Find returns the charges under an id, or domain.ErrNotFound.
	Find(ctx context.Context, id string) ([]domain.Charge, error)
	// Watch calls ready once and then each for every charge from that moment on, until the context ends.
	Watch(ctx context.Context, ready func(instance string) error, each func(domain.Charge) error) error
}

// Ledger keeps charges for good.
type Ledger interface {
	// Append returns when the charge is on the disk.
	Append(charge domain.Charge) error
	// Find returns the charges under an id by all instances; none is no error.
	Find(id string) ([]domain.Charge, error)
}
