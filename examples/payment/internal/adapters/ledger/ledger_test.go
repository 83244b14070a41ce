package ledger

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

func open(t *testing.T, folder, instance string) *Ledger {
	t.Helper()
	book, err := Open(folder, instance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { book.Close() })
	return book
}

func TestEveryInstanceFindsWhatAnyCharged(t *testing.T) {
	folder := t.TempDir()
	one, two := open(t, folder, "one"), open(t, folder, "two")
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, book := range []*Ledger{one, two} {
		if err := book.Append(domain.Charge{ID: "a", Customer: "ada", AmountCents: 5, ChargedAt: at}); err != nil {
			t.Fatal(err)
		}
	}
	if err := one.Append(domain.Charge{ID: "ab", Customer: "ada", AmountCents: 5, ChargedAt: at}); err != nil {
		t.Fatal(err)
	}
	found, err := two.Find("a")
	if err != nil || len(found) != 2 {
		t.Fatalf("found %v, %v", found, err)
	}
	want := domain.Charge{ID: "a", Customer: "ada", AmountCents: 5, Instance: "one", ChargedAt: at}
	if found[0] != want || found[1].Instance != "two" {
		t.Fatalf("found %+v", found)
	}
}

func TestLinesOfManyWritersStayWhole(t *testing.T) {
	folder := t.TempDir()
	book := open(t, folder, "one")
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 10 {
				if err := book.Append(domain.Charge{ID: "a", Customer: "ada", AmountCents: 5, ChargedAt: time.Now()}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if found, err := open(t, folder, "two").Find("a"); err != nil || len(found) != 80 {
		t.Fatalf("found %d, %v", len(found), err)
	}
}

func TestDamagedLineIsAnError(t *testing.T) {
	for _, line := range []string{"a ada\n", "a ada five 2026-01-02T03:04:05Z\n", "a ada 5 yesterday\n"} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "old.ledger"), []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if found, err := open(t, folder, "one").Find("a"); err == nil {
			t.Errorf("%q gave %v", line, found)
		}
	}
}

func TestRefundsAreFoundByAll(t *testing.T) {
	folder, at := t.TempDir(), time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	one, two := open(t, folder, "one"), open(t, folder, "two")
	if err := one.AppendRefund(domain.Refund{ID: "a", AmountCents: 5, RefundedAt: at}); err != nil {
		t.Fatal(err)
	}
	got, found, err := two.FindRefund("a")
	if want := (domain.Refund{ID: "a", AmountCents: 5, Instance: "one", RefundedAt: at}); err != nil || !found || got != want {
		t.Fatalf("found %+v, %v, %v", got, found, err)
	}
	if _, found, err := two.FindRefund("ab"); err != nil || found {
		t.Fatalf("found %v, %v", found, err)
	}
}

// Whoever locks an id waits for the instance that has it, and for no other id.
func TestLockIsThatOfAllInstances(t *testing.T) {
	folder := t.TempDir()
	one, two := open(t, folder, "one"), open(t, folder, "two")
	unlock, err := one.Lock("a")
	if err != nil {
		t.Fatal(err)
	}
	other, err := two.Lock("b")
	if err != nil {
		t.Fatal(err)
	}
	other()
	var mutex sync.Mutex
	var order []string
	note := func(who string) {
		mutex.Lock()
		defer mutex.Unlock()
		order = append(order, who)
	}
	var waiter sync.WaitGroup
	begun := make(chan struct{})
	waiter.Go(func() {
		close(begun)
		second, err := two.Lock("a")
		if err != nil {
			t.Error(err)
			return
		}
		note("two")
		second()
	})
	<-begun
	note("one")
	unlock()
	waiter.Wait()
	if order[0] != "one" || order[1] != "two" {
		t.Fatalf("locked in the order %v", order)
	}
}
