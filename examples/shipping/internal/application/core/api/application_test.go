package api

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/outrigger/examples/shipping/internal/application/core/domain"
)

// bookMock keeps shipments in memory, or fails.
type bookMock struct {
	kept   map[string]domain.Shipment
	puts   int
	locked string // the id that is locked; the mock is for one caller at a time
	noLock error
	noRead error
	noPut  error
}

func newBook() *bookMock { return &bookMock{kept: map[string]domain.Shipment{}} }

func (b *bookMock) Lock(id string) (func(), error) {
	b.locked = id
	return func() { b.locked = "" }, b.noLock
}

func (b *bookMock) Put(shipment domain.Shipment) error {
	if b.locked != shipment.ID {
		return errors.New("put without the lock")
	}
	if b.noPut != nil {
		return b.noPut
	}
	b.puts++
	b.kept[shipment.ID] = shipment
	return nil
}

func (b *bookMock) Get(id string) (domain.Shipment, bool, error) {
	shipment, found := b.kept[id]
	return shipment, found, b.noRead
}

func tea(id string) domain.Shipment {
	return domain.Shipment{ID: id, Customer: "ada", Parcels: []domain.Parcel{{Product: "tea", Quantity: 2}}}
}

func TestAnOrderIsShippedOnce(t *testing.T) {
	ctx, book := context.Background(), newBook()
	core := New(book, nil)
	first, err := core.Ship(ctx, tea("a"))
	if err != nil || first.Tracking == "" || first.ShippedAt.IsZero() {
		t.Fatalf("shipped %+v, %v", first, err)
	}
	again, err := core.Ship(ctx, tea("a"))
	if err != nil || again.Tracking != first.Tracking || book.puts != 1 || book.locked != "" {
		t.Fatalf("again %+v, %v, %d puts", again, err, book.puts)
	}
	if found, err := core.Find(ctx, "a"); err != nil || found.Tracking != first.Tracking || found.Cancelled {
		t.Fatalf("found %+v, %v", found, err)
	}
	if other, err := core.Ship(ctx, tea("b")); err != nil || other.Tracking == first.Tracking {
		t.Fatalf("the other %+v, %v", other, err)
	}
}

func TestCancelCallsBack(t *testing.T) {
	ctx, book := context.Background(), newBook()
	core := New(book, nil)
	if _, err := core.Ship(ctx, tea("a")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if calledBack, err := core.Cancel(ctx, "a"); err != nil || !calledBack {
			t.Fatalf("called back %v, %v", calledBack, err)
		}
	}
	if found, err := core.Find(ctx, "a"); err != nil || !found.Cancelled || book.puts != 2 {
		t.Fatalf("found %+v, %v, %d puts", found, err, book.puts)
	}
	if _, err := core.Ship(ctx, tea("a")); !errors.Is(err, domain.ErrCancelled) {
		t.Fatalf("shipped again: %v", err)
	}
}

// A Ship that was on its way while its order was given up sends nothing.
func TestNothingIsShippedBehindACancellation(t *testing.T) {
	ctx, core := context.Background(), New(newBook(), nil)
	for range 2 {
		if calledBack, err := core.Cancel(ctx, "a"); err != nil || calledBack {
			t.Fatalf("called back %v, %v", calledBack, err)
		}
	}
	if _, err := core.Ship(ctx, tea("a")); !errors.Is(err, domain.ErrCancelled) {
		t.Fatalf("shipped: %v", err)
	}
	if _, err := core.Find(ctx, "a"); !errors.Is(err, domain.ErrNotFound) {
		t.Fatalf("found: %v", err)
	}
}

func TestShipmentThatIsNotMade(t *testing.T) {
	late, cancel := context.WithCancel(context.Background())
	cancel()
	cases := []struct {
		name     string
		ctx      context.Context
		shipment domain.Shipment
		field    string
		product  string
	}{
		{name: "no id", shipment: tea(""), field: "id"},
		{name: "long id", shipment: tea(strings.Repeat("a", 129)), field: "id"},
		{name: "two words", shipment: tea("a b"), field: "id"},
		{name: "no customer", shipment: domain.Shipment{ID: "a"}, field: "customer"},
		{name: "no parcels", shipment: domain.Shipment{ID: "a", Customer: "ada"}, field: "parcels"},
		{name: "empty parcel", field: "parcels[0]",
			shipment: domain.Shipment{ID: "a", Customer: "ada", Parcels: []domain.Parcel{{Product: "tea"}}}},
		{name: "out of stock", product: "moon dust",
			shipment: domain.Shipment{ID: "a", Customer: "ada", Parcels: []domain.Parcel{{Product: "moon dust", Quantity: 1}}}},
		{name: "too late", ctx: late, shipment: tea("a")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			book := newBook()
			if c.ctx == nil {
				c.ctx = context.Background()
			}
			_, err := New(book, []string{"moon dust"}).Ship(c.ctx, c.shipment)
			var field *domain.FieldError
			var stock *domain.StockError
			switch {
			case err == nil || err.Error() == "" || len(book.kept) != 0:
				t.Fatalf("error %v, kept %v", err, book.kept)
			case c.field != "" && (!errors.As(err, &field) || field.Field != c.field):
				t.Fatalf("error %v", err)
			case c.product != "" && (!errors.As(err, &stock) || stock.Product != c.product):
				t.Fatalf("error %v", err)
			}
		})
	}
	if _, err := New(newBook(), nil).Cancel(context.Background(), ""); err == nil {
		t.Fatal("cancelled nothing")
	}
}

func TestBookThatFails(t *testing.T) {
	ctx, no := context.Background(), errors.New("no")
	for name, fail := range map[string]func(b *bookMock){
		"lock": func(b *bookMock) { b.noLock = no },
		"read": func(b *bookMock) { b.noRead = no },
		"put":  func(b *bookMock) { b.noPut = no },
	} {
		book := newBook()
		fail(book)
		core := New(book, nil)
		if _, err := core.Ship(ctx, tea("a")); !errors.Is(err, no) {
			t.Errorf("%s: shipped, %v", name, err)
		}
		if _, err := core.Cancel(ctx, "a"); !errors.Is(err, no) {
			t.Errorf("%s: cancelled, %v", name, err)
		}
	}
	if _, err := New(&bookMock{noRead: no}, nil).Find(ctx, "a"); !errors.Is(err, no) {
		t.Errorf("found, %v", err)
	}
}
