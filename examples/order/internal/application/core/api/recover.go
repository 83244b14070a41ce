package api

import (
	"context"
	"sync"
	"time"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

const (
	recoverEvery  = time.Second
	recoverAtMost = 64 // orders each time
	recoverAtOnce = 8
)

// Recover goes on with the orders that nobody holds, such as those of a process that died: at once, and again and again until
// the context ends. It tells of each, and of a database that does not say which there are (the id is then "").
func (a *Application) Recover(ctx context.Context, tell func(id string, order domain.Order, err error)) {
	for ctx.Err() == nil {
		a.recoverUnheld(ctx, tell)
		select {
		case <-ctx.Done():
		case <-time.After(recoverEvery):
		}
	}
}

func (a *Application) recoverUnheld(ctx context.Context, tell func(id string, order domain.Order, err error)) {
	ids, err := a.unheld(ctx)
	if err != nil {
		tell("", domain.Order{}, err)
		return
	}
	turn := make(chan string)
	var workers sync.WaitGroup
	for range min(recoverAtOnce, len(ids)) {
		workers.Go(func() {
			for id := range turn {
				order, err := a.Settle(ctx, id)
				tell(id, order, err)
			}
		})
	}
	for _, id := range ids {
		turn <- id
	}
	close(turn)
	workers.Wait()
}

func (a *Application) unheld(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, a.stepTime)
	defer cancel()
	return a.db.Unheld(ctx, a.now(), recoverAtMost)
}
