package endpoint

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"sync"
)

// Ledger is the file of what one endpoint has executed, a line each. Lines of calls that come together share one fsync.
type Ledger struct {
	file *os.File

	mu    sync.Mutex
	lines bytes.Buffer
	batch *batch
	wake  chan struct{}
}

type batch struct {
	done chan struct{}
	err  error
}

// OpenLedger opens the file to append to it.
func OpenLedger(path string) (*Ledger, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	l := &Ledger{file: file, batch: &batch{done: make(chan struct{})}, wake: make(chan struct{}, 1)}
	l.lines.WriteByte('\n') // a line that a killed process left torn was never answered: it ends here
	go l.write()
	return l, nil
}

// Record returns when the line is on the disk.
func (l *Ledger) Record(line string) error {
	l.mu.Lock()
	l.lines.WriteString(line)
	l.lines.WriteByte('\n')
	mine := l.batch
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	<-mine.done
	return mine.err
}

func (l *Ledger) write() {
	for range l.wake {
		l.mu.Lock()
		data := append([]byte(nil), l.lines.Bytes()...)
		l.lines.Reset()
		mine := l.batch
		l.batch = &batch{done: make(chan struct{})}
		l.mu.Unlock()
		if _, mine.err = l.file.Write(data); mine.err == nil {
			mine.err = l.file.Sync()
		}
		close(mine.done)
	}
}

// Executions counts the lines of ledgers.
func Executions(paths ...string) (map[string]int, error) {
	executed := map[string]int{}
	for _, path := range paths {
		file, err := os.Open(path)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			if line := strings.TrimSpace(lines.Text()); line != "" {
				executed[line]++
			}
		}
		file.Close()
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return executed, nil
}
