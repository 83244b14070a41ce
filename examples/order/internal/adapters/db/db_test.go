package db

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/outrigger/examples/internal/postgres"
	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// cases are run on an SQLite file and on a PostgreSQL server. What they get opens a database: again, it is the same.
var cases = map[string]func(t *testing.T, open func() *DB){
	"OrdersOutliveTheProcess": ordersOutliveTheProcess,
	"UnknownOrder":            unknownOrder,
	"OneUpdateOfAVersionWins": oneUpdateOfAVersionWins,
	"UnheldAreThoseOfNobody":  unheldAreThoseOfNobody,
	"ManyWriters":             manyWriters,
	"ContextThatIsOver":       contextThatIsOver,
}

func opener(t *testing.T, where string) func() *DB {
	return func() *DB {
		db, err := Open(where, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
}

func TestSQLite(t *testing.T) {
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, opener(t, filepath.Join(t.TempDir(), "order.db"))) })
	}
}

func TestPostgreSQL(t *testing.T) {
	server := postgres.Start(t)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { test(t, opener(t, server.Database(t))) })
	}
	t.Run("TablesAreMadeOnce", func(t *testing.T) { tablesAreMadeOnce(t, server.Database(t)) })
	t.Run("ServerThatStarts", func(t *testing.T) { serverThatStarts(t, server) })
	t.Run("ServerThatRestarts", func(t *testing.T) { serverThatRestarts(t, server) })
}

func ordersOutliveTheProcess(t *testing.T, open func() *DB) {
	ctx, db := context.Background(), open()
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
	order.Status, order.ChargedBy, order.Tracking, order.Why = domain.Cancelled, "payment-1", "T1", "for no reason"
	order.RefundedCents, order.HeldUntil = 1995, time.UnixMicro(5)
	kept, err := db.Update(ctx, order)
	if err != nil || kept.Version != 1 {
		t.Fatalf("kept %+v, %v", kept, err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	got, err := open().Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	if !got.CreatedAt.Equal(order.CreatedAt) || len(got.Items) != 2 || got.TotalCents() != 1995 {
		t.Fatalf("got %+v", got)
	}
	got.CreatedAt, got.Items, kept.CreatedAt, kept.Items = time.Time{}, nil, time.Time{}, nil
	if fmt.Sprint(got) != fmt.Sprint(kept) {
		t.Fatalf("got %+v, kept %+v", got, kept)
	}
}

func unknownOrder(t *testing.T, open func() *DB) {
	ctx, db := context.Background(), open()
	if _, err := db.Get(ctx, "none"); !errors.Is(err, domain.ErrNotFound) {
		t.Errorf("get: %v", err)
	}
	if _, err := db.Update(ctx, domain.Order{ID: "none"}); !errors.Is(err, domain.ErrChanged) {
		t.Errorf("update: %v", err)
	}
}

// Of many who go on with an order from the same version, one does.
func oneUpdateOfAVersionWins(t *testing.T, open func() *DB) {
	ctx, databases := context.Background(), []*DB{open(), open()}
	if err := databases[0].Insert(ctx, domain.Order{ID: "a", Status: domain.Pending}); err != nil {
		t.Fatal(err)
	}
	var workers sync.WaitGroup
	var mutex sync.Mutex
	won := 0
	for i := range 8 {
		workers.Go(func() {
			_, err := databases[i%2].Update(ctx, domain.Order{ID: "a", Status: domain.Charging})
			mutex.Lock()
			defer mutex.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, domain.ErrChanged) {
				t.Error(err)
			}
		})
	}
	workers.Wait()
	if won != 1 {
		t.Fatalf("%d updates of the same version", won)
	}
}

func unheldAreThoseOfNobody(t *testing.T, open func() *DB) {
	ctx, db, now := context.Background(), open(), time.UnixMicro(1_000_000)
	for id, until := range map[string]time.Time{
		"old": now.Add(-time.Millisecond), "just": now, "held": now.Add(time.Microsecond), "finished": {},
	} {
		if err := db.Insert(ctx, domain.Order{ID: id, Status: domain.Paid, HeldUntil: until}); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := db.Unheld(ctx, now, 10); err != nil || fmt.Sprint(ids) != "[old just]" {
		t.Fatalf("unheld %v, %v", ids, err)
	}
	if ids, err := db.Unheld(ctx, now, 1); err != nil || fmt.Sprint(ids) != "[old]" {
		t.Fatalf("unheld %v, %v", ids, err)
	}
}

func manyWriters(t *testing.T, open func() *DB) {
	ctx, db := context.Background(), open()
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 10 {
				order := domain.Order{ID: fmt.Sprintf("%d-%d", w, i), Status: domain.Pending}
				err := db.Insert(ctx, order)
				if err == nil {
					_, err = db.Update(ctx, order)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
}

func contextThatIsOver(t *testing.T, open func() *DB) {
	db := open()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var store *domain.StoreError
	if err := db.Insert(ctx, domain.Order{ID: "a"}); !errors.As(err, &store) {
		t.Fatalf("error %v", err)
	}
	if _, err := db.Unheld(ctx, time.Now(), 1); !errors.As(err, &store) {
		t.Fatalf("error %v", err)
	}
}

// Several processes may find the database empty at the same time.
func tablesAreMadeOnce(t *testing.T, where string) {
	var openers sync.WaitGroup
	for range 6 {
		openers.Go(func() {
			db, err := Open(where, 0)
			if err != nil {
				t.Error(err)
				return
			}
			db.Close()
		})
	}
	openers.Wait()
}

func serverThatStarts(t *testing.T, server *postgres.Server) {
	where := server.Database(t)
	server.Stop(t)
	if db, err := Open(where, 0); err == nil {
		db.Close()
		t.Fatal("opened a database without a server")
	}
	var opener sync.WaitGroup
	opener.Go(func() {
		db, err := Open(where, time.Minute)
		if err != nil {
			t.Error(err)
			return
		}
		db.Close()
	})
	server.Again(t)
	opener.Wait()
}

// A server that is gone for a while is an error that says so, and no reason to start again.
func serverThatRestarts(t *testing.T, server *postgres.Server) {
	db, err := Open(server.Database(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := context.Background()
	if err := db.Insert(ctx, domain.Order{ID: "a", Status: domain.Pending}); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	var store *domain.StoreError
	if err := db.Insert(ctx, domain.Order{ID: "b"}); !errors.As(err, &store) {
		t.Fatalf("without a server: %v", err)
	}
	server.Again(t)
	deadline := time.Now().Add(10 * time.Second)
	for {
		got, err := db.Get(ctx, "a")
		if err == nil && got.ID == "a" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server is back, and yet: %v", err)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	for where, within := range map[string]time.Duration{
		filepath.Join(t.TempDir(), "no", "folder"): time.Hour,
		"postgres:///order?host=/nowhere":          0,
		"postgres:///order?connect_timeout=never":  time.Hour,
	} {
		if db, err := Open(where, within); err == nil {
			db.Close()
			t.Errorf("opened %s", where)
		}
	}
}
