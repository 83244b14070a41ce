// Package ledger keeps charges and refunds in a folder of text files that all instances share: two files an instance, one
// line a charge (id, customer, cents, time) or a refund (id, cents, time). Each instance appends to its own and reads all.
package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/outrigger/examples/internal/journal"
	"github.com/outrigger/examples/payment/internal/application/core/domain"
	"github.com/outrigger/examples/payment/internal/ports"
)

const (
	chargeSuffix = ".ledger"
	refundSuffix = ".refunds"
)

// Ledger implements ports.Ledger.
type Ledger struct {
	folder  string
	charges *journal.Journal
	refunds *journal.Journal
}

var _ ports.Ledger = (*Ledger)(nil)

// Open makes the folder and this instance's files when they are missing.
func Open(folder, instance string) (*Ledger, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	charges, err := journal.Open(filepath.Join(folder, instance+chargeSuffix))
	if err != nil {
		return nil, err
	}
	refunds, err := journal.Open(filepath.Join(folder, instance+refundSuffix))
	if err != nil {
		return nil, errors.Join(err, charges.Close())
	}
	return &Ledger{folder: folder, charges: charges, refunds: refunds}, nil
}

// Close gives the files back.
func (l *Ledger) Close() error { return errors.Join(l.charges.Close(), l.refunds.Close()) }

// Lock implements ports.Ledger.
func (l *Ledger) Lock(id string) (unlock func(), err error) { return journal.Lock(l.folder, id) }

// Append implements ports.Ledger.
func (l *Ledger) Append(charge domain.Charge) error {
	return l.charges.Append(charge.ID, charge.Customer, strconv.FormatInt(charge.AmountCents, 10), stamp(charge.ChargedAt))
}

// AppendRefund implements ports.Ledger.
func (l *Ledger) AppendRefund(refund domain.Refund) error {
	return l.refunds.Append(refund.ID, strconv.FormatInt(refund.AmountCents, 10), stamp(refund.RefundedAt))
}

// Find implements ports.Ledger.
func (l *Ledger) Find(id string) ([]domain.Charge, error) {
	var found []domain.Charge
	err := l.each(chargeSuffix, id, 4, func(instance string, fields []string, cents int64, at time.Time) {
		found = append(found, domain.Charge{
			ID: id, Customer: fields[1], AmountCents: cents, Instance: instance, ChargedAt: at,
		})
	})
	return found, err
}

// FindRefund implements ports.Ledger.
func (l *Ledger) FindRefund(id string) (refund domain.Refund, found bool, err error) {
	err = l.each(refundSuffix, id, 3, func(instance string, _ []string, cents int64, at time.Time) {
		refund, found = domain.Refund{ID: id, AmountCents: cents, Instance: instance, RefundedAt: at}, true
	})
	return refund, found, err
}

// each reads the lines about an id in the files of all instances; the last two fields of a line are cents and time.
func (l *Ledger) each(suffix, id string, fieldsWanted int,
	take func(instance string, fields []string, cents int64, at time.Time)) error {
	paths, err := filepath.Glob(filepath.Join(l.folder, "*"+suffix))
	if err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	for _, path := range paths {
		lines, err := journal.About(path, id)
		if err != nil {
			return err
		}
		instance := strings.TrimSuffix(filepath.Base(path), suffix)
		for _, fields := range lines {
			cents, at, err := parse(fields, fieldsWanted)
			if err != nil {
				return fmt.Errorf("ledger %s: %w", path, err)
			}
			take(instance, fields, cents, at)
		}
	}
	return nil
}

func parse(fields []string, wanted int) (cents int64, at time.Time, err error) {
	if len(fields) != wanted {
		return 0, at, fmt.Errorf("damaged line %q", fields)
	}
	cents, err = strconv.ParseInt(fields[wanted-2], 10, 64)
	if err == nil {
		at, err = time.Parse(time.RFC3339Nano, fields[wanted-1])
	}
	if err != nil {
		return 0, at, fmt.Errorf("damaged line %q: %w", fields, err)
	}
	return cents, at, nil
}

func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
