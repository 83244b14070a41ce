package abuse

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// TestA20FailingAllocations fails the n-th allocation of handshakes and calls, for one n after the other: a call or a
// connection is refused, or the worker ends with a clear message and is started anew. Nothing hangs and nothing breaks.
func TestA20FailingAllocations(t *testing.T) {
	words := newShared(t)
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "edge", ca.Service(t, "edge"), ca)
	caller := ca.Service(t, "caller")
	config := ca.ClientTLS(t, &caller, "localhost")
	config.ClientSessionCache = nil
	endpoint := peer.Serve(t)
	listen := proxy.Address(t)
	p := proxy.StartWith(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\nidentity: { certificate: %s, private_key: %s, trust: %s }\n",
		listen, endpoint.Address, files.Cert, files.Key, files.Trust), shim(t, "malloc", words.env()))
	if !allocationCalls(listen, config, 20) {
		t.Fatal("no calls without failures")
	}
	step, last, refused, failed := sized(41, 1), sized(2000, 5000), 0, 0
	for n := 1; n <= last; n += step {
		before := words.words[1].Load()
		words.words[0].Store(int64(n))
		served := allocationCalls(listen, config, sized(10, 100))
		left := words.words[0].Swap(0)
		if words.words[1].Load() > before {
			failed++
		} else if left > 0 && n > 3000 {
			break // the calls need no more than this
		}
		if !served {
			refused++
		}
		eventually(t, peer.Patience, fmt.Sprintf("calls are answered after allocation %d failed", n), func() bool { return allocationCalls(listen, config, 1) })
	}
	t.Logf("%d allocations failed, %d runs were refused", failed, refused)
	if failed < 10 {
		t.Errorf("only %d allocations failed", failed)
	}
	for _, bad := range []string{"SIGSEGV", "SIGABRT", "SIGBUS", `"signal":11`, `"signal":6`, `"signal":7`, `"code":139`, `"code":135`} {
		if strings.Contains(p.Log(), bad) {
			t.Errorf("a worker died of %s", bad)
		}
	}
	// A worker may end for a small fixed allocation, but it says so first.
	if ended, said := strings.Count(p.Log(), `"code":134`), strings.Count(p.Log(), `"out_of_memory"`); ended > said {
		t.Errorf("%d workers ended, %d said why", ended, said)
	}
}

// allocationCalls makes calls on a new connection; false when any failed. It returns within seconds, or the test hangs.
func allocationCalls(address string, config *tls.Config, calls int) bool {
	nc, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(7 * time.Second))
	secure := tls.Client(nc, config)
	if secure.Handshake() != nil {
		return false
	}
	b := frames.Append([]byte(http2.ClientPreface), frames.Settings, 0, 0, nil)
	for i := range calls {
		b = frames.Append(b, frames.Headers, frames.EndHeaders, uint32(2*i+1), quick)
		b = frames.Append(b, frames.Data, frames.EndStream, uint32(2*i+1), frames.Message([]byte("hello")))
	}
	if _, err := secure.Write(b); err != nil {
		return false
	}
	framer := http2.NewFramer(nil, secure)
	ended, good := 0, 0
	for ended < calls {
		f, err := framer.ReadFrame()
		if err != nil {
			return false
		}
		switch f := f.(type) {
		case *http2.HeadersFrame:
			if f.StreamEnded() {
				ended++
				good++
			}
		case *http2.RSTStreamFrame:
			ended++
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return false
			}
		}
	}
	return good == calls
}

// TestE10DescriptorsOut opens more connections than there are descriptors for.
func TestE10DescriptorsOut(t *testing.T) {
	s := stageWith(t, "", "", proxy.Options{Wrapper: []string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"}})
	var held []net.Conn
	var share float64
	s.under(func() time.Duration {
		for range 200 {
			nc, err := net.DialTimeout("tcp", s.address, time.Second)
			if err == nil {
				held = append(held, nc)
			}
			if err == nil {
				_, _ = nc.Write(frames.Append([]byte(http2.ClientPreface), frames.Settings, 0, 0, nil))
			}
		}
		eventually(t, peer.Patience, "descriptors are kept back", func() bool { return s.counters()["file_descriptors_kept"] > s.bounds["file_descriptors_kept"] })
		cpu, began := s.proxy.CPU(), time.Now()
		s.rest(sized(500*time.Millisecond, 10*time.Second))
		share = (s.proxy.CPU()-cpu).Seconds()/time.Since(began).Seconds() - s.idleCPU
		return time.Second
	})
	if share > sized(0.20, 0.05) {
		t.Errorf("%.1f %% of a core while descriptors are out, at most 5 expected", 100*share)
	}
	for _, nc := range held {
		nc.Close()
	}
	began := time.Now()
	eventually(t, peer.Patience, "new connections are served", func() bool {
		a, err := peer.TryAttack(s.address, peer.Options{Track: true})
		if err != nil {
			return false
		}
		defer a.Close()
		return a.Open(1, true, quick) && a.End(1, 500*time.Millisecond) && a.Resets() == 0
	})
	if took := time.Since(began); took > sized(3*time.Second, time.Second) {
		t.Errorf("served again after %v", took)
	}
	s.judge(fmt.Sprintf("64 fds, %.1f %% CPU", 100*share), grownMaxKiB, "file_descriptors_kept")
}

// TestE11MemoryLimit fills memory with stalled answers and stuck uploads in a control group whose limit is all that the
// proxy knows: it sheds new calls, then stops accepting, then resets the largest that are stalled; nothing is killed, and it
// serves again once the attackers are gone. And the same with a limit of its own.
func TestE11MemoryLimit(t *testing.T) {
	t.Run("Group96MiB", func(t *testing.T) { memoryLimit(t, 96, 0) })
	t.Run("Group64MiB", func(t *testing.T) { memoryLimit(t, 64, 0) })
	t.Run("Own48MiB", func(t *testing.T) { memoryLimit(t, 96, 48) })
}

func memoryLimit(t *testing.T, hard, own int) {
	options, bounds := proxy.Options{}, "bounds: { connections_per_listener: 2000 }\n"
	group, ok := memoryGroup(t, hard<<20)
	if ok {
		options.Wrapper = []string{"sh", "-c", `echo $$ > "$0"/cgroup.procs; exec "$@"`, group}
	} else if own == 0 {
		t.Skip("no control group of memory is to be had")
	}
	if own > 0 {
		bounds = fmt.Sprintf("bounds: { memory: %dMiB, connections_per_listener: 2000 }\n", own)
	}
	s := stageWith(t, crowded, crowdedRules+bounds, options)
	s.neighbour.Stop() // new calls are what is shed
	worker, most, rounds := fmt.Sprint(s.proxy.Workers()), 0, 0
	for end := time.Now().Add(sized(time.Second, 120*time.Second)); time.Now().Before(end); rounds++ {
		most = max(most, s.fillMemory())
	}
	began := time.Now()
	eventually(t, peer.Patience, "calls are served again", func() bool {
		a, err := peer.TryAttack(s.address, peer.Options{Track: true})
		if err != nil {
			return false
		}
		defer a.Close()
		return a.Open(1, true, quick) && a.End(1, 500*time.Millisecond) && a.Resets() == 0
	})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("served again after %v, at most 5 s expected", took)
	}
	if now := fmt.Sprint(s.proxy.Workers()); now != worker {
		t.Errorf("the worker died: pids %s, then %s", worker, now)
	}
	if ok && kills(group) > 0 {
		t.Errorf("the kernel killed %d processes for memory", kills(group))
	}
	if !strings.Contains(s.proxy.Log(), "refusing connections") {
		t.Error("it never came to refuse connections")
	}
	s.row.grownKiB, s.row.attackMs = most, s.row.quietMs
	s.wantRisen("stalled_stream")
	s.judge(fmt.Sprintf("%d of %d MiB, %d rounds", most>>10, hard, rounds), hard<<10, "memory")
}

// fillMemory attacks until connections are refused, and a while longer; it tells how much the workers held at most.
func (s *scene) fillMemory() (most int) {
	stuck := frames.Block(frames.Request(peer.Stuck)...)
	before := strings.Count(s.proxy.Log(), "refusing connections")
	full := func() bool { return strings.Count(s.proxy.Log(), "refusing connections") > before }
	var attackers []*peer.Attacker
	upload := func(a *peer.Attacker) {
		for j := range 100 {
			a.Upload(uint32(2*j+1), 65535)
		}
	}
	for i := 0; i < 150 && !full(); i++ {
		a, err := peer.TryAttack(s.address, peer.Options{Settings: frames.Setting(4, 0), Track: true})
		if err != nil {
			break
		}
		attackers = append(attackers, a)
		for j := range 100 {
			if i%2 == 0 {
				a.Open(uint32(2*j+1), true, big)
			} else {
				a.Open(uint32(2*j+1), false, stuck)
			}
		}
		upload(a)
		most = max(most, privateKiB(s.proxy))
	}
	for end := time.Now().Add(sized(500*time.Millisecond, 5*time.Second)); time.Now().Before(end); {
		for _, a := range attackers {
			upload(a)
		}
		most = max(most, privateKiB(s.proxy))
		time.Sleep(10 * time.Millisecond)
	}
	for _, a := range attackers {
		a.Close()
	}
	return most
}

// kills is how many processes of a control group the kernel has killed for memory.
func kills(group string) (n int) {
	for _, name := range []string{"memory.events", "memory.oom_control"} {
		data, _ := os.ReadFile(filepath.Join(group, name))
		for line := range strings.Lines(string(data)) {
			if count, ok := strings.CutPrefix(line, "oom_kill "); ok {
				n, _ = strconv.Atoi(strings.TrimSpace(count))
			}
		}
	}
	return n
}

// privateKiB is the memory that the workers alone hold.
func privateKiB(p *proxy.Proxy) int {
	total := 0
	for _, pid := range p.Workers() {
		var size, resident, shared int
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		_, _ = fmt.Sscan(string(data), &size, &resident, &shared)
		total += (resident - shared) * os.Getpagesize() >> 10
	}
	return total
}

// memoryGroup makes a control group with a limit of memory; false where that is not to be had.
func memoryGroup(t *testing.T, limit int) (string, bool) {
	for _, c := range [][2]string{{"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}, {"/sys/fs/cgroup", "memory.max"}} {
		path := filepath.Join(c[0], fmt.Sprintf("outrigger-abuse-%d-%d", os.Getpid(), limit>>20))
		if _, err := os.Stat(filepath.Join(c[0], "cgroup.procs")); err != nil || os.Mkdir(path, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			eventually(t, peer.Patience, "the group is empty", func() bool { return os.Remove(path) == nil })
		})
		if _, err := os.Stat(filepath.Join(path, c[1])); err == nil && os.WriteFile(filepath.Join(path, c[1]), []byte(strconv.Itoa(limit)), 0) == nil {
			return path, true
		}
	}
	t.Log("no control group: the limit is held by the proxy alone")
	return "", false
}

// TestE12ClockJumps moves the wall clock by a second and by a day, to and fro: what is measured is monotonic.
func TestE12ClockJumps(t *testing.T) {
	words := newShared(t)
	s := stageWith(t, "", "", shim(t, "clock", words.env()))
	client := wire.Dial(t, s.address, nil)
	stream := uint32(1)
	s.under(func() time.Duration {
		jumps := []int64{86400, -86400, 1, -1, 0, 40 * 365 * 86400, 0}
		for i := range sized(14, 120) {
			words.words[0].Store(jumps[i%len(jumps)])
			start := time.Now()
			answer := client.Call(stream, []byte("x"), wire.Request(peer.Hang, wire.Field{Name: "grpc-timeout", Value: "100m"})...)
			if took := time.Since(start); answer.Status() != "4" || took < 90*time.Millisecond || took > sized(600*time.Millisecond, 150*time.Millisecond) {
				t.Errorf("clock moved by %d s: a call with a deadline of 100 ms ended after %v: %v", jumps[i%len(jumps)], took, answer)
			}
			stream += 2
		}
		return time.Second
	})
	words.words[0].Store(40 * 365 * 86400)
	s.proxy.Signal(syscall.SIGHUP)
	future := fmt.Sprintf(`"ts":"%d-`, time.Now().AddDate(0, 0, 40*365).Year())
	s.proxy.Eventually(peer.Patience, "the log shows the moved clock", func() bool { return strings.Contains(s.proxy.Log(), future) })
	if _, body := s.proxy.Get("/ready"); !strings.Contains(body, "ready") {
		t.Errorf("/ready: %q", body)
	}
	s.judge("no", grownMaxKiB)
}
