package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

// ledgerMock keeps charges in memory, or fails.
type ledgerMock struct {
	charges []domain.Charge
	fails   error
}

func (l *ledgerMock) Append(charge domain.Charge) error {
	if l.fails != nil {
		return l.fails
	}
	l.charges = append(l.charges, charge)
	return nil
}

func (l *ledgerMock) Find(id string) ([]domain.Charge, error) {
	var found []domain.Charge
	for _, charge := range l.charges {
		if charge.ID == id {
			found = append(found, charge)
		}
	}
	return found, l.fails
}

func tea(id string) domain.Charge { return domain.Charge{ID: id, Customer: "ada", AmountCents: 1990} }

func TestChargeRecordsEachCall(t *testing.T) {
	ledger := &ledgerMock{}
	core := New("payment-1", ledger, Review{})
	for range 2 {
		charge, err := core.Charge(context.Background(), tea("a"))
		if err != nil || charge.Instance != "payment-1" || charge.ChargedAt.IsZero() {
			t.Fatalf("charge = %+v, %v", charge, err)
		}
	}
	charges, err := core.Find(context.Background(), "a")
	if err != nil || len(charges) != 2 {
		t.Fatalf("found %v, %v; expected both charges to show", charges, err)
	}
}

func TestChargeThatIsNotRecorded(t *testing.T) {
	diskFull := errors.New("disk full")
	cases := []struct {
		name   string
		charge domain.Charge
		fails  error
	}{
		{"no id", domain.Charge{Customer: "ada", AmountCents: 1}, nil},
		{"id with a space", domain.Charge{ID: "a b", Customer: "ada", AmountCents: 1}, nil},
		{"no customer", domain.Charge{ID: "a", AmountCents: 1}, nil},
		{"no amount", domain.Charge{ID: "a", Customer: "ada"}, nil},
		{"ledger fails", tea("a"), diskFull},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ledger := &ledgerMock{fails: c.fails}
			_, err := New("p", ledger, Review{}).Charge(context.Background(), c.charge)
			var field *domain.FieldError
			if isField := errors.As(err, &field); err == nil || isField == (c.fails != nil) {
				t.Fatalf("error = %v", err)
			}
			if len(ledger.charges) != 0 {
				t.Fatalf("recorded %v", ledger.charges)
			}
		})
	}
}

func TestReviewThatOutlastsTheCallerChargesNothing(t *testing.T) {
	ledger := &ledgerMock{}
	core := New("p", ledger, Review{FromCents: 1990, Takes: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := core.Charge(ctx, tea("a")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error = %v", err)
	}
	if len(ledger.charges) != 0 {
		t.Fatal("it was charged all the same")
	}
	small := tea("b")
	small.AmountCents = 1989
	if _, err := core.Charge(context.Background(), small); err != nil {
		t.Fatalf("a charge under the limit: %v", err)
	}
}

func TestFindNothing(t *testing.T) {
	if _, err := New("p", &ledgerMock{}, Review{}).Find(context.Background(), "a"); !errors.Is(err, domain.ErrNotFound) {
		t.Fatalf("error = %v", err)
	}
}

func TestWatchSeesChargesUntilStop(t *testing.T) {
	core := New("p", &ledgerMock{}, Review{})
	ready, seen, ended := make(chan string, 1), make(chan string, 2), make(chan error, 1)
	go func() {
		ended <- core.Watch(context.Background(),
			func(instance string) error { ready <- instance; return nil },
			func(charge domain.Charge) error { seen <- charge.ID; return nil })
	}()
	if instance := <-ready; instance != "p" {
		t.Fatalf("watching %q", instance)
	}
	for _, id := range []string{"a", "b"} {
		if _, err := core.Charge(context.Background(), tea(id)); err != nil {
			t.Fatal(err)
		}
		if got := <-seen; got != id {
			t.Fatalf("saw %q, expected %q", got, id)
		}
	}
	core.Stop()
	if err := <-ended; !errors.Is(err, domain.ErrStopping) {
		t.Fatalf("ended with %v", err)
	}
}

func TestSlowWatcherIsSentAway(t *testing.T) {
	f := newFeed()
	slow := f.join()
	for range feedDepth {
		f.publish(tea("a"))
	}
	if slow.why != nil {
		t.Fatalf("sent away after %d charges", feedDepth)
	}
	f.publish(tea("one too many"))
	if !errors.Is(slow.why, domain.ErrTooSlow) {
		t.Fatalf("ended with %v", slow.why)
	}
	f.leave(slow)
	f.stop()
}
