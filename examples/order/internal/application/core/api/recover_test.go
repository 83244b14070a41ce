package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// Whatever a process that died has left is brought to its end, at the start, and nothing is charged again.
func TestRecoverGoesOnWithWhatIsOpen(t *testing.T) {
	db, others := newDB(), newOthers(nil)
	others.chargedBy = "payment-1"
	wanted := map[string]domain.Status{}
	for i, status := range []domain.Status{domain.Charging, domain.Paid, domain.Cancelling, domain.Done, domain.Cancelled} {
		for n := range 10 {
			order := teaIn(status)
			order.ID = fmt.Sprintf("%d-%d", i, n)
			db.orders[order.ID] = order
			if !order.Finished() {
				wanted[order.ID] = domain.Done
			}
			if status == domain.Cancelling {
				wanted[order.ID] = domain.Cancelled
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mutex sync.Mutex
	newCore(db, others).Recover(ctx, func(id string, order domain.Order, err error) {
		mutex.Lock()
		defer mutex.Unlock()
		if err != nil || order.Status != wanted[id] {
			t.Errorf("%s: %+v, %v", id, order, err)
		}
		delete(wanted, id)
		if len(wanted) == 0 {
			cancel()
		}
	})
	for _, call := range others.calls {
		if call == "charge" {
			t.Error("charged again")
		}
	}
}

func TestRecoverTriesAgain(t *testing.T) {
	db, others := newDB(teaIn(domain.Paid)), newOthers(nil)
	db.fails[""] = errors.New("down")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var told []error
	newCore(db, others).Recover(ctx, func(id string, _ domain.Order, err error) {
		told = append(told, err)
		db.mutex.Lock()
		delete(db.fails, "")
		db.mutex.Unlock()
		if id == "a" {
			cancel()
		}
	})
	if len(told) != 2 || told[0] == nil || told[1] != nil || db.orders["a"].Status != domain.Done {
		t.Fatalf("told %v, kept %+v", told, db.orders["a"])
	}
}
