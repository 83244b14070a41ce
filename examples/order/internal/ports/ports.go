// Package ports names what the core offers and what it needs.
package ports

import (
	"context"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// API is what the core offers to whoever calls it.
type API interface {
	// Place keeps the order, has it charged and shipped. A *domain.StepError means kept, but not done.
	Place(ctx context.Context, order domain.Order) (domain.Order, error)
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
	// Settle goes on with an order that nobody holds; any other order it returns as it is.
	Settle(ctx context.Context, id string) (domain.Order, error)
}

// DB keeps orders for good. Errors other than those named are *domain.StoreError.
type DB interface {
	// Insert keeps a new order, or returns domain.ErrExists.
	Insert(ctx context.Context, order domain.Order) error
	// Update keeps what became of an order and returns it with its next version; domain.ErrChanged when the version that is
	// kept is another one.
	Update(ctx context.Context, order domain.Order) (domain.Order, error)
	// Get returns an order, or domain.ErrNotFound.
	Get(ctx context.Context, id string) (domain.Order, error)
	// Unheld returns the ids of orders that are not finished and that nobody holds any more, the oldest first.
	Unheld(ctx context.Context, now time.Time, most int) ([]string, error)
}

// Payment takes money, and gives it back.
type Payment interface {
	// Charge returns who charged the order. A *domain.RefusedError means that nothing was charged; after any other
	// error it may have been, or may yet be.
	Charge(ctx context.Context, order domain.Order) (chargedBy string, err error)
	// ChargedBy returns who charged an order; "" when nobody has so far.
	ChargedBy(ctx context.Context, id string) (string, error)
	// Refund gives back all that was charged and has charges that are still on their way refused. It may be called again.
	Refund(ctx context.Context, id string) (cents int64, err error)
}

// Shipping sends goods, and calls them back.
type Shipping interface {
	// Ship returns the tracking of the order's only shipment. A *domain.RefusedError means that nothing is shipped. It may be
	// called again.
	Ship(ctx context.Context, order domain.Order) (tracking string, err error)
	// Tracking returns that of a shipment; "" when there is none so far.
	Tracking(ctx context.Context, id string) (string, error)
	// CallBack cancels the shipment, if there is one, and has those that are still asked for refused. It may be called again.
	CallBack(ctx context.Context, id string) error
}
