// Package book keeps shipments in a folder of text files that all instances share, one file an instance, one line a change:
// id, "shipped" or "cancelled", customer, tracking, time; "-" is nothing. Each instance appends to its own file and reads all.
package book

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/outrigger/examples/internal/journal"
	"github.com/outrigger/examples/shipping/internal/application/core/domain"
	"github.com/outrigger/examples/shipping/internal/ports"
)

const (
	suffix    = ".shipments"
	none      = "-"
	shipped   = "shipped"
	cancelled = "cancelled"
)

// Book implements ports.Book.
type Book struct {
	folder  string
	journal *journal.Journal
}

var _ ports.Book = (*Book)(nil)

// Open makes the folder and this instance's file when they are missing.
func Open(folder, instance string) (*Book, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	own, err := journal.Open(filepath.Join(folder, instance+suffix))
	if err != nil {
		return nil, err
	}
	return &Book{folder: folder, journal: own}, nil
}

// Close gives the file back.
func (b *Book) Close() error { return b.journal.Close() }

// Lock implements ports.Book.
func (b *Book) Lock(id string) (unlock func(), err error) { return journal.Lock(b.folder, id) }

// Put implements ports.Book.
func (b *Book) Put(shipment domain.Shipment) error {
	what := shipped
	if shipment.Cancelled {
		what = cancelled
	}
	return b.journal.Append(shipment.ID, what, orNone(shipment.Customer), orNone(shipment.Tracking),
		shipment.ShippedAt.UTC().Format(time.RFC3339Nano))
}

// Get implements ports.Book. In whichever file a cancellation stands, it is the last word.
func (b *Book) Get(id string) (shipment domain.Shipment, found bool, err error) {
	paths, err := filepath.Glob(filepath.Join(b.folder, "*"+suffix))
	if err != nil {
		return shipment, false, err
	}
	for _, path := range paths {
		lines, err := journal.About(path, id)
		if err != nil {
			return shipment, false, err
		}
		for _, words := range lines {
			one, err := parse(words)
			if err != nil {
				return shipment, false, fmt.Errorf("shipments %s: %w", path, err)
			}
			if !found || one.Cancelled {
				shipment, found = one, true
			}
		}
	}
	return shipment, found, nil
}

func parse(words []string) (domain.Shipment, error) {
	if len(words) != 5 || words[1] != shipped && words[1] != cancelled {
		return domain.Shipment{}, fmt.Errorf("damaged line %q", words)
	}
	at, err := time.Parse(time.RFC3339Nano, words[4])
	if err != nil {
		return domain.Shipment{}, fmt.Errorf("damaged line %q: %w", words, err)
	}
	return domain.Shipment{
		ID: words[0], Customer: orEmpty(words[2]), Tracking: orEmpty(words[3]), ShippedAt: at, Cancelled: words[1] == cancelled,
	}, nil
}

func orNone(word string) string {
	if word == "" {
		return none
	}
	return word
}

func orEmpty(word string) string {
	if word == none {
		return ""
	}
	return word
}
