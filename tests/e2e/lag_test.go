package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// lags is how late the machine was: what processes waited for a processor, and how late timers of our own came, at most
// every 10 ms.
type lags []lag

type lag struct {
	at   time.Time // when it ended
	late time.Duration
}

// lagWatch collects lags until its end.
type lagWatch struct {
	stop chan struct{}
	out  chan lags
}

// watchLag watches the processes, and this one.
func watchLag(pids []int) *lagWatch {
	w := &lagWatch{make(chan struct{}), make(chan lags)}
	go w.run(pids)
	return w
}

func (w *lagWatch) run(pids []int) {
	const step = 10 * time.Millisecond
	var seen lags
	waited := runDelay(pids)
	for last := time.Now(); ; {
		select {
		case <-w.stop:
			w.out <- seen
			return
		case <-time.After(step):
		}
		now, delay := time.Now(), runDelay(pids)
		if late := now.Sub(last) - step + delay - waited; late > step/2 {
			seen = append(seen, lag{now, late})
		}
		last, waited = now, delay
	}
}

func (w *lagWatch) end() lags {
	close(w.stop)
	return <-w.out
}

// between is how late the machine was from one moment to another.
func (l lags) between(from, to time.Time) (late time.Duration) {
	for _, one := range l {
		if one.at.After(from) && one.at.Add(-one.late).Before(to) {
			late += one.late
		}
	}
	return late
}

func (l lags) sum() (late time.Duration) {
	for _, one := range l {
		late += one.late
	}
	return late
}

// runDelay is how long the threads of processes have waited for a processor: the second number of schedstat.
func runDelay(pids []int) (sum time.Duration) {
	for _, pid := range pids {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		for _, task := range tasks {
			text, err := os.ReadFile(task)
			if fields := strings.Fields(string(text)); err == nil && len(fields) > 1 {
				n, _ := strconv.ParseInt(fields[1], 10, 64)
				sum += time.Duration(n)
			}
		}
	}
	return sum
}
