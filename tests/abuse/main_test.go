package abuse

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// TestMain prints what was measured behind the tests.
func TestMain(m *testing.M) {
	code := m.Run()
	printTable()
	os.Exit(code)
}

// full tells if the attacks have their full sizes, and if the bars that depend on a quiet machine are held.
func full() bool { return os.Getenv("ABUSE_FULL") == "1" }

// sized is one number for the quick run and another for the full one.
func sized[T any](quick, whole T) T {
	if full() {
		return whole
	}
	return quick
}

// row is what was measured of one class.
type row struct {
	class             string
	closed            string // at which frame or stream
	grownKiB          int
	cpu               float64 // of the proxy by that of the attacker
	quietMs, attackMs float64 // 99th percentile of the neighbour
	controlMs         float64 // while the attack met another proxy, 0: not measured
	calls, lost       int
	attempts          int // most open at a time at the endpoint
	counter           string
}

var (
	rowsLock sync.Mutex
	rows     []row
)

func record(r row) {
	rowsLock.Lock()
	defer rowsLock.Unlock()
	rows = append(rows, r)
}

func printTable() {
	if len(rows) == 0 {
		return
	}
	fmt.Printf("\n%-34s %-22s %9s %7s %9s %9s %9s %6s %6s %5s %8s  %s\n", "class", "closed at", "RSS KiB", "CPU x", "quiet p99",
		"elsewhere", "p99 ms", "ratio", "calls", "lost", "attempts", "counter")
	for _, r := range rows {
		fmt.Printf("%-34s %-22s %+9d %7.2f %9.2f %9.2f %9.2f %6.2f %6d %5d %8d  %s\n", r.class, r.closed, r.grownKiB, r.cpu, r.quietMs,
			r.controlMs, r.attackMs, r.attackMs/max(r.quietMs, r.controlMs), r.calls, r.lost, r.attempts, r.counter)
	}
}
