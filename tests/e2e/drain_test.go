package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestDrain follows SIGTERM: readiness goes, two GOAWAYs come, what is in flight ends, and so does the process.
func TestDrain(t *testing.T) {
	for _, args := range [][]string{nil, {"--single"}} {
		t.Run(strings.Join(append([]string{"run"}, args...), " "), func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{})
			listen := proxy.Address(t)
			p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address), proxy.Options{Args: args})
			client := wire.DialAs(t, listen, nil, wire.Behaviour{NoAck: true}) // our silence makes the second GOAWAY wait for its second
			idle := wire.Dial(t, listen, nil)
			idle.PingWait()
			client.Headers(1, false, wire.Request(echoPath)...)
			up := endpoint.Accept()
			first := up.NextRequest(0)
			p.Signal(syscall.SIGTERM)
			notice := client.WantGoAway(1)
			if notice.Last != 1<<31-1 || notice.Code != http2.ErrCodeNo {
				t.Errorf("first GOAWAY: expected 2^31-1 and NO_ERROR, got %v", notice)
			}
			p.Eventually(wire.Patience, "/ready answers 503", func() bool { status, _ := p.Get("/ready"); return status == 503 })
			if status, _ := p.Get("/live"); status != 200 {
				t.Errorf("/live answers %d while draining", status)
			}
			client.Headers(3, true, wire.Request(echoPath)...) // between the two it is still welcome
			second := up.NextRequest(first.Stream)
			up.Respond(second.Stream, nil)
			wantStatus(t, client.Answer(3), "0")
			final := client.WantGoAway(2)
			if final.Last != 3 || final.Code != http2.ErrCodeNo {
				t.Errorf("final GOAWAY: expected 3 and NO_ERROR, got %v", final)
			}
			if gap := final.At.Sub(notice.At); gap > 2*time.Second {
				t.Errorf("%v between the two GOAWAYs", gap)
			}
			if _, closed := idle.WaitClosed(wire.Patience); !closed {
				t.Error("an idle connection stays open")
			}
			select {
			case <-p.Exited():
				t.Fatal("the process ended under an open call")
			default:
			}
			client.Data(1, true, wire.Message([]byte("last")))
			up.WantEnd(first.Stream)
			up.Respond(first.Stream, []byte("bye"))
			wantStatus(t, client.Answer(1), "0")
			if code := p.WaitExit(wire.Patience); code != 0 {
				t.Errorf("exit code %d after a clean drain", code)
			}
		})
	}
}

// TestWindow follows SIGTERM to the end of the window: not ready, but serving, then closed to everyone.
func TestWindow(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.Start(t, fmt.Sprintf("drain: { window: 1s, deadline: 5s }\ninbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address))
	client := wire.Dial(t, listen, nil)
	client.PingWait()
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	p.Eventually(wire.Patience, "/ready answers 503", func() bool { status, _ := p.Get("/ready"); return status == 503 })
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	wantServes(t, listen)
	client.WantGoAway(1)
	if took := time.Since(start); took < 950*time.Millisecond {
		t.Errorf("the window of 1 s was over after %v", took)
	}
	if _, closed := client.WaitClosed(wire.Patience); !closed {
		t.Error("an idle connection stays open")
	}
	if code := p.WaitExit(wire.Patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if connects(listen) {
		t.Error("somebody still listens")
	}
}

// TestDrainDeadline has calls that never end: each gets one status, and the process ends in time.
func TestDrainDeadline(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	listen := proxy.Address(t)
	p := proxy.Start(t, fmt.Sprintf("drain: { window: off, deadline: 1500ms }\ninbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address))
	client := wire.Dial(t, listen, nil)
	for i := range uint32(50) {
		client.Headers(2*i+1, false, wire.Request(echoPath)...)
	}
	up := endpoint.Accept()
	last := uint32(0)
	for range 50 {
		last = up.NextRequest(last).Stream
	}
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	for i := range uint32(50) {
		wantStatus(t, client.Answer(2*i+1), "14")
	}
	if took := time.Since(start); took < 1400*time.Millisecond {
		t.Errorf("the deadline of 1.5 s was over after %v", took)
	}
	p.WaitExit(wire.Patience)
	if took := time.Since(start); took > 2500*time.Millisecond {
		t.Errorf("the process ended %v after the signal", took)
	}
}

// TestGroupSignal sends what Ctrl-C and service managers send, a signal to every process: it counts once.
func TestGroupSignal(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	first := up.NextRequest(0)
	for _, pid := range append(p.Workers(), p.Pid) {
		if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
	}
	client.WantGoAway(2)
	up.Respond(first.Stream, nil)
	wantStatus(t, client.Answer(1), "0")
	if code := p.WaitExit(wire.Patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestSecondSignalEndsAtOnce interrupts a drain.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	endpoint.Accept().NextRequest(0)
	workers := p.Workers()
	p.Signal(syscall.SIGTERM)
	client.WantGoAway(1)
	start := time.Now()
	p.Signal(syscall.SIGTERM)
	p.WaitExit(wire.Patience)
	if took := time.Since(start); took > time.Second {
		t.Errorf("the second signal took %v", took)
	}
	for _, pid := range workers {
		eventually(t, fmt.Sprintf("worker %d is gone", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
}

// TestDrainOfAnIdleProcess has nothing to wait for.
func TestDrainOfAnIdleProcess(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	wantServes(t, address)
	p.Signal(syscall.SIGTERM)
	if code := p.WaitExit(8 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
