// Package ports names what the core offers and what it needs.
package ports

import (
	"context"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// API is what the core offers to whoever calls it.
type API interface {
	// Place keeps the order and has it charged. A *domain.ChargeError means kept, but not known to be paid.
	Place(ctx context.Context, order domain.Order) (domain.Order, error)
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
	// Settle asks payment about an order that is uncertain; any other order it returns as it is.
	Settle(ctx context.Context, id string) (domain.Order, error)
}

// DB keeps orders for good.
type DB interface {
	// Insert keeps a new order, or returns domain.ErrExists.
	Insert(ctx context.Context, order domain.Order) error
	// SetPayment keeps the status of an order and who charged it.
	SetPayment(ctx context.Context, order domain.Order) error
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
}

// Payment takes money.
type Payment interface {
	// Charge returns who charged the order. A *domain.RefusedError means that nothing was charged; after any other
	// error it may have been.
	Charge(ctx context.Context, order domain.Order) (chargedBy string, err error)
	// ChargedBy returns who charged an order; "" when nobody did.
	ChargedBy(ctx context.Context, id string) (string, error)
}
