package api

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
)

// ledgerMock keeps charges and refunds in memory, or fails.
type ledgerMock struct {
	charges []domain.Charge
	refunds []domain.Refund
	locked  string // the id that is locked; the mock is for one caller at a time
	fails   error
	noLock  error
	noWrite error
}

func (l *ledgerMock) Lock(id string) (func(), error) {
	l.locked = id
	return func() { l.locked = "" }, l.noLock
}

func (l *ledgerMock) AppendRefund(refund domain.Refund) error {
	if l.locked != refund.ID {
		return errors.New("refunded without the lock")
	}
	l.refunds = append(l.refunds, refund)
	return l.noWrite
}

func (l *ledgerMock) FindRefund(id string) (domain.Refund, bool, error) {
	for _, refund := range l.refunds {
		if refund.ID == id {
			return refund, true, l.fails
		}
	}
	return domain.Refund{}, false, l.fails
}

func (l *ledgerMock) Append(charge domain.Charge) error {
	if l.fails != nil {
		return l.fails
	}
	if l.locked != charge.ID {
		return errors.New("charged without the lock")
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
	charges, refunded, err := core.Find(context.Background(), "a")
	if err != nil || len(charges) != 2 || refunded {
		t.Fatalf("found %v, %v; expected both charges to show", charges, err)
	}
}

func TestRefundGivesAllBackOnce(t *testing.T) {
	ctx, ledger := context.Background(), &ledgerMock{}
	core := New("payment-1", ledger, Review{})
	for range 2 {
		if _, err := core.Charge(ctx, tea("a")); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		refund, err := core.Refund(ctx, "a")
		if err != nil || refund.AmountCents != 2*1990 || refund.Instance != "payment-1" || refund.RefundedAt.IsZero() {
			t.Fatalf("refund %+v, %v", refund, err)
		}
	}
	if len(ledger.refunds) != 1 || ledger.locked != "" {
		t.Fatalf("refunds %v, locked %q", ledger.refunds, ledger.locked)
	}
	if charges, refunded, err := core.Find(ctx, "a"); err != nil || len(charges) != 2 || !refunded {
		t.Fatalf("found %v, %v, %v", charges, refunded, err)
	}
}

// A charge that was on its way while its order was given up takes nothing.
func TestNothingIsChargedBehindARefund(t *testing.T) {
	ctx, ledger := context.Background(), &ledgerMock{}
	core := New("payment-1", ledger, Review{})
	if refund, err := core.Refund(ctx, "a"); err != nil || refund.AmountCents != 0 {
		t.Fatalf("refund %+v, %v", refund, err)
	}
	if _, err := core.Charge(ctx, tea("a")); !errors.Is(err, domain.ErrRefunded) || len(ledger.charges) != 0 {
		t.Fatalf("error %v, charges %v", err, ledger.charges)
	}
	if _, err := core.Charge(ctx, tea("b")); err != nil {
		t.Fatal(err)
	}
}

func TestRefundThatIsNotMade(t *testing.T) {
	ctx, no := context.Background(), errors.New("no")
	for name, ledger := range map[string]*ledgerMock{"lock": {noLock: no}, "read": {fails: no}, "write": {noWrite: no}} {
		if _, err := New("p", ledger, Review{}).Refund(ctx, "a"); !errors.Is(err, no) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var field *domain.FieldError
	if _, err := New("p", &ledgerMock{}, Review{}).Refund(ctx, ""); !errors.As(err, &field) || field.Field != "id" {
		t.Errorf("error %v", err)
	}
	if _, err := New("p", &ledgerMock{noLock: no}, Review{}).Charge(ctx, tea("a")); !errors.Is(err, no) {
		t.Errorf("charged without a lock: %v", err)
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
	if _, _, err := New("p", &ledgerMock{}, Review{}).Find(context.Background(), "a"); !errors.Is(err, domain.ErrNotFound) {
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
