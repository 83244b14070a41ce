package book

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrigger/examples/shipping/internal/application/core/domain"
)

func open(t *testing.T, folder, instance string) *Book {
	t.Helper()
	b, err := Open(folder, instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestEveryInstanceFindsWhatAnyShipped(t *testing.T) {
	folder, at := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	one, two := open(t, folder, "one"), open(t, folder, "two")
	shipped := domain.Shipment{ID: "a", Customer: "ada", Tracking: "T1", ShippedAt: at}
	never := domain.Shipment{ID: "b", ShippedAt: at, Cancelled: true}
	back := domain.Shipment{ID: "c", Customer: "ada", Tracking: "T2", ShippedAt: at, Cancelled: true}
	for _, shipment := range []domain.Shipment{shipped, never, back} {
		if err := one.Put(shipment); err != nil {
			t.Fatal(err)
		}
	}
	if err := two.Put(domain.Shipment{ID: "c", Customer: "ada", Tracking: "T2", ShippedAt: at}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []domain.Shipment{shipped, never, back} {
		got, found, err := two.Get(want.ID)
		if err != nil || !found || got.Customer != want.Customer || got.Tracking != want.Tracking ||
			got.Cancelled != want.Cancelled || !got.ShippedAt.Equal(at) {
			t.Errorf("got %+v, %v, %v", got, found, err)
		}
	}
	if _, found, err := two.Get("d"); found || err != nil {
		t.Errorf("found what was never put: %v", err)
	}
}

func TestDamagedBook(t *testing.T) {
	for _, line := range []string{"a shipped ada\n", "a lost ada T1 2026-01-02T03:04:05Z\n", "a shipped ada T1 yesterday\n"} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "old.shipments"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, _, err := open(t, folder, "one").Get("a"); err == nil {
			t.Errorf("%q gave %+v", line, got)
		}
	}
}
