// Package ledger keeps charges in a folder of text files that all instances share, one file an instance, one line a
// charge: id, customer, cents, time. Each instance appends to its own file and reads them all.
package ledger

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outrigger/examples/payment/internal/application/core/domain"
	"github.com/outrigger/examples/payment/internal/ports"
)

const suffix = ".ledger"

// Ledger implements ports.Ledger.
type Ledger struct {
	folder string
	mutex  sync.Mutex // held while a line is written
	file   *os.File
}

var _ ports.Ledger = (*Ledger)(nil)

// Open makes the folder and this instance's file when they are missing.
func Open(folder, instance string) (*Ledger, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, instance+suffix), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &Ledger{folder: folder, file: file}, nil
}

// Close gives the file back.
func (l *Ledger) Close() error { return l.file.Close() }

// Append implements ports.Ledger.
func (l *Ledger) Append(charge domain.Charge) error {
	line := fmt.Sprintf("%s %s %d %s\n", charge.ID, charge.Customer, charge.AmountCents,
		charge.ChargedAt.UTC().Format(time.RFC3339Nano))
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if _, err := l.file.WriteString(line); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return nil
}

// Find implements ports.Ledger.
func (l *Ledger) Find(id string) ([]domain.Charge, error) {
	paths, err := filepath.Glob(filepath.Join(l.folder, "*"+suffix))
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	var found []domain.Charge
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("ledger: %w", err)
		}
		charges, err := findIn(text, id)
		if err != nil {
			return nil, fmt.Errorf("ledger %s: %w", path, err)
		}
		instance := strings.TrimSuffix(filepath.Base(path), suffix)
		for _, charge := range charges {
			charge.Instance = instance
			found = append(found, charge)
		}
	}
	return found, nil
}

func findIn(text []byte, id string) ([]domain.Charge, error) {
	var found []domain.Charge
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), id+" ") {
			continue
		}
		charge, err := parse(lines.Text())
		if err != nil {
			return nil, err
		}
		found = append(found, charge)
	}
	return found, lines.Err()
}

func parse(line string) (domain.Charge, error) {
	fields := strings.Fields(line)
	if len(fields) != 4 {
		return domain.Charge{}, fmt.Errorf("damaged line %q", line)
	}
	cents, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return domain.Charge{}, fmt.Errorf("damaged line %q: %w", line, err)
	}
	at, err := time.Parse(time.RFC3339Nano, fields[3])
	if err != nil {
		return domain.Charge{}, fmt.Errorf("damaged line %q: %w", line, err)
	}
	return domain.Charge{ID: fields[0], Customer: fields[1], AmountCents: cents, ChargedAt: at}, nil
}
