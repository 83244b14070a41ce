package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
)

// report is the sum of many orders.
type report struct {
	placed, paid, cancelled, errors int
	codes                           map[string]int // of the calls that failed
	by                              map[string]int // paid orders of each payment instance
	p50, p99                        time.Duration  // of the calls that did not fail
}

func summarize(outcomes []placed) report {
	r := report{codes: map[string]int{}, by: map[string]int{}}
	var times []time.Duration
	for _, outcome := range outcomes {
		r.placed++
		switch outcome.status {
		case orderv1.OrderStatus_ORDER_STATUS_DONE, orderv1.OrderStatus_ORDER_STATUS_PAID:
			r.paid++
			r.by[outcome.by]++
		case orderv1.OrderStatus_ORDER_STATUS_CANCELLED:
			r.cancelled++
		}
		if outcome.why != "" {
			r.errors++
			r.codes[outcome.code.String()]++
			continue
		}
		times = append(times, outcome.took)
	}
	slices.Sort(times)
	r.p50, r.p99 = percentile(times, 50), percentile(times, 99)
	return r
}

// percentile of sorted times is the smallest that at least so many in a hundred do not exceed; 0 when there are none.
func percentile(sorted []time.Duration, hundredths int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*hundredths+99)/100-1]
}

func (r report) text() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%d orders: %d paid, %d cancelled; %d calls failed%s", r.placed, r.paid, r.cancelled, r.errors, counts(r.codes))
	if r.paid > 0 {
		fmt.Fprintf(&out, "; paid by%s", counts(r.by))
	}
	if r.errors < r.placed {
		fmt.Fprintf(&out, "; p50 %s, p99 %s", r.p50.Round(10*time.Microsecond), r.p99.Round(10*time.Microsecond))
	}
	out.WriteString("\n")
	return out.String()
}

// print also writes the lines to a file, if it has a name.
func (r report) print(file string) error {
	fmt.Print(r.text())
	if file == "" {
		return nil
	}
	return os.WriteFile(file, []byte(r.lines()), 0o600)
}

// lines is for shell scripts.
func (r report) lines() string {
	return fmt.Sprintf("placed=%d\npaid=%d\ncancelled=%d\nerrors=%d\np50_us=%d\np99_us=%d\n",
		r.placed, r.paid, r.cancelled, r.errors, r.p50.Microseconds(), r.p99.Microseconds())
}

func counts(of map[string]int) string {
	var out strings.Builder
	for i, name := range slices.Sorted(maps.Keys(of)) {
		if i > 0 {
			out.WriteString(",")
		}
		fmt.Fprintf(&out, " %s %d", name, of[name])
	}
	return out.String()
}
