// Package ports names what the core offers and what it needs.
package ports

import (
	"context"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

// API is what the core offers to whoever calls it.
type API interface {
	// Charge records one charge for each call that returns no error; domain.ErrRefunded when the id was refunded.
	Charge(ctx context.Context, charge domain.Charge) (domain.Charge, error)
	// Refund gives all charges of an id back and has those that come later refused. Again: the answer of the first time.
	Refund(ctx context.Context, id string) (domain.Refund, error)
	// Find returns the charges under an id and if they were given back, or domain.ErrNotFound.
	Find(ctx context.Context, id string) (charges []domain.Charge, refunded bool, err error)
	// Watch calls ready once and then each for every charge from that moment on, until the context ends.
	Watch(ctx context.Context, ready func(instance string) error, each func(domain.Charge) error) error
}

// Ledger keeps charges and refunds for good.
type Ledger interface {
	// Lock keeps every instance from changing what is kept of an id until unlock is called, or the process ends.
	Lock(id string) (unlock func(), err error)
	// Append returns when the charge is on the disk.
	Append(charge domain.Charge) error
	// AppendRefund returns when the refund is on the disk.
	AppendRefund(refund domain.Refund) error
	// Find returns the charges under an id by all instances; none is no error.
	Find(id string) ([]domain.Charge, error)
	// FindRefund returns the refund of an id by any instance.
	FindRefund(id string) (refund domain.Refund, found bool, err error)
}
