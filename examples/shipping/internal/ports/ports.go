// Package ports names what the core offers and what it needs.
package ports

import (
	"context"

	"github.com/outrigger/examples/shipping/internal/application/core/domain"
)

// API is what the core offers to whoever calls it.
type API interface {
	// Ship ships the goods of an order once, and returns the same shipment each time. A *domain.StockError or
	// domain.ErrCancelled means that nothing is shipped.
	Ship(ctx context.Context, shipment domain.Shipment) (domain.Shipment, error)
	// Find returns a shipment, or domain.ErrNotFound.
	Find(ctx context.Context, id string) (domain.Shipment, error)
	// Cancel calls a shipment back, if there is one, and has those of this id that come later refused.
	Cancel(ctx context.Context, id string) (calledBack bool, err error)
}

// Book keeps shipments for good.
type Book interface {
	// Lock keeps every instance from changing what is kept of an id until unlock is called, or the process ends.
	Lock(id string) (unlock func(), err error)
	// Put keeps a shipment in the place of what was kept under its id, and returns when it is on the disk.
	Put(shipment domain.Shipment) error
	// Get returns what any instance kept last under an id.
	Get(id string) (shipment domain.Shipment, found bool, err error)
}
