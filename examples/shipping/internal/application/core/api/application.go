// Package api is the core of shipping: each order is shipped once, or, once it is cancelled, never.
package api

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/outrigger/examples/shipping/internal/application/core/domain"
	"github.com/outrigger/examples/shipping/internal/ports"
)

// Application implements ports.API.
type Application struct {
	book       ports.Book
	outOfStock []string
	now        func() time.Time
}

var _ ports.API = (*Application)(nil)

// New makes the core. Products that are out of stock are never shipped.
func New(book ports.Book, outOfStock []string) *Application {
	return &Application{book: book, outOfStock: outOfStock, now: time.Now}
}

// Ship implements ports.API. A caller whose time is over when its turn comes gets nothing shipped.
func (a *Application) Ship(ctx context.Context, shipment domain.Shipment) (domain.Shipment, error) {
	if err := shipment.Check(); err != nil {
		return domain.Shipment{}, err
	}
	unlock, err := a.book.Lock(shipment.ID)
	if err != nil {
		return domain.Shipment{}, err
	}
	defer unlock()
	switch before, found, err := a.book.Get(shipment.ID); {
	case err != nil:
		return domain.Shipment{}, err
	case found && before.Cancelled:
		return domain.Shipment{}, domain.ErrCancelled
	case found:
		return before, nil
	}
	if err := ctx.Err(); err != nil {
		return domain.Shipment{}, err
	}
	for _, parcel := range shipment.Parcels {
		if slices.Contains(a.outOfStock, parcel.Product) {
			return domain.Shipment{}, &domain.StockError{Product: parcel.Product}
		}
	}
	shipment.Tracking, shipment.ShippedAt = trackingOf(shipment.ID), a.now()
	if err := a.book.Put(shipment); err != nil {
		return domain.Shipment{}, err
	}
	return shipment, nil
}

// Find implements ports.API.
func (a *Application) Find(_ context.Context, id string) (domain.Shipment, error) {
	shipment, found, err := a.book.Get(id)
	if err != nil {
		return domain.Shipment{}, err
	}
	if !found || shipment.Tracking == "" {
		return domain.Shipment{}, domain.ErrNotFound
	}
	return shipment, nil
}

// Cancel implements ports.API.
func (a *Application) Cancel(_ context.Context, id string) (calledBack bool, err error) {
	if err := domain.CheckName("id", id); err != nil {
		return false, err
	}
	unlock, err := a.book.Lock(id)
	if err != nil {
		return false, err
	}
	defer unlock()
	shipment, found, err := a.book.Get(id)
	if err != nil {
		return false, err
	}
	if found && shipment.Cancelled {
		return shipment.Tracking != "", nil
	}
	if !found {
		shipment = domain.Shipment{ID: id, ShippedAt: a.now()}
	}
	shipment.Cancelled = true
	return shipment.Tracking != "", a.book.Put(shipment)
}

func trackingOf(id string) string {
	hash := fnv.New64a()
	hash.Write([]byte(id))
	return fmt.Sprintf("T%016X", hash.Sum64())
}
