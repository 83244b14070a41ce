package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOrdersOutliveTheProcess(t *testing.T) {
	ctx, path := context.Background(), filepath.Join(t.TempDir(), "order.db")
	db := open(t, path)
	order := domain.Order{
		ID: "a", Customer: "ada", Status: domain.Pending, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Items: []domain.Item{{Product: "tea", UnitPriceCents: 995, Quantity: 2}, {Product: "cup", UnitPriceCents: 5, Quantity: 1}},
	}
	if err := db.Insert(ctx, order); err != nil {
		t.Fatal(err)
	}
	if err := db.Insert(ctx, order); !errors.Is(err, domain.ErrExists) {
		t.Fatalf("the same order again: %v", err)
	}
	order.Status, order.ChargedBy = domain.Paid, "payment-1"
	if err := db.SetPayment(ctx, order); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	got, err := open(t, path).Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != domain.Paid || got.ChargedBy != "payment-1" || !got.CreatedAt.Equal(order.CreatedAt) ||
		len(got.Items) != 2 || got.TotalCents() != 1995 {
		t.Fatalf("got %+v", got)
	}
}

func TestUnknownOrder(t *testing.T) {
	ctx, db := context.Background(), open(t, filepath.Join(t.TempDir(), "order.db"))
	if _, err := db.Get(ctx, "none"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if err := db.SetPayment(ctx, domain.Order{ID: "none"}); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("set: %v", err)
	}
}

func TestManyWriters(t *testing.T) {
	ctx, db := context.Background(), open(t, filepath.Join(t.TempDir(), "order.db"))
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 10 {
				order := domain.Order{ID: fmt.Sprintf("%d-%d", w, i), Status: domain.Pending}
				if err := errors.Join(db.Insert(ctx, order), db.SetPayment(ctx, order)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
}
