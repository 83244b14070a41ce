package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// host is what the helpers of the tests want of a test, for one scenario of this command.
type host struct {
	testing.TB // only what is defined below is called
	name       string
	failed     bool
	cleanups   []func()
}

// broken is what a scenario panics with when it cannot go on.
type broken string

// perform runs a scenario and cleans up after it.
func perform(name string, f func(*host)) (err error) {
	h := &host{name: name}
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case broken:
			h.failed = true
			err = fmt.Errorf("%s", string(reason))
		default:
			panic(reason)
		}
		for _, f := range slices.Backward(h.cleanups) {
			f()
		}
		if err == nil && h.failed {
			err = fmt.Errorf("see above")
		}
	}()
	f(h)
	return nil
}

func (h *host) Helper()          {}
func (h *host) Name() string     { return h.name }
func (h *host) Failed() bool     { return h.failed }
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

func (h *host) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, h.name+": "+format+"\n", args...)
}

func (h *host) Errorf(format string, args ...any) {
	h.failed = true
	h.Logf(format, args...)
}

func (h *host) Fatal(args ...any)                 { panic(broken(fmt.Sprint(args...))) }
func (h *host) Fatalf(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

func (h *host) TempDir() string {
	dir, err := os.MkdirTemp("", "figures-")
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
