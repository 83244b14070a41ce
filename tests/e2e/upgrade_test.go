package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// upgrade runs `outrigger upgrade` and gives what it said.
func upgrade(t *testing.T, p *proxy.Proxy, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(proxy.Binary(t), append([]string{"upgrade", "--pid", fmt.Sprint(p.Pid)}, args...)...).CombinedOutput()
	return string(out), err
}

// copyBinary puts the binary under another name.
func copyBinary(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	bytes, err := os.ReadFile(proxy.Binary(t))
	if err == nil {
		err = os.WriteFile(path, bytes, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestUpgrade replaces the binary under an open call: the same process, the same sockets, the call ends where it began.
func TestUpgrade(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	dir, listen := socketFolder(t), proxy.Address(t)
	path := dir + "/in"
	yaml := unixYAML(endpoint.Address, dir+"/first") + fmt.Sprintf("  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", listen, endpoint.Address)
	p := proxy.Start(t, yaml)
	client := wire.Dial(t, listen, nil)
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	first := up.NextRequest(0)

	// a listener that a reload has made the worker open, and that nobody else knows
	p.Write(yaml + fmt.Sprintf("  - { listen: \"unix:%s\", tls: off, forward: \"%s\" }\n", path, endpoint.Address))
	p.Signal(syscall.SIGHUP)
	p.Eventually(wire.Patience, "the added listener serves", func() bool { return exists(path) })
	wire.Dial(t, "unix:"+path, nil).PingWait()

	before, binary := p.Workers(), copyBinary(t, "next")
	if out, err := upgrade(t, p, "--binary", binary); err != nil {
		t.Fatalf("upgrade: %v: %s", err, out)
	}
	client.WantGoAway(2)
	p.Eventually(wire.Patience, "the supervisor is the new binary", func() bool {
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Pid))
		return exe == binary
	})
	wire.Dial(t, "unix:"+path, nil).PingWait()
	other := wire.Dial(t, listen, nil)
	other.Headers(1, true, wire.Request(echoPath)...)
	up2 := endpoint.Accept()
	up2.Respond(up2.NextRequest(0).Stream, nil)
	wantStatus(t, other.Answer(1), "0")
	if status, _ := p.Get("/ready"); status != 200 {
		t.Errorf("/ready answers %d", status)
	}
	if now := p.Workers(); len(now) != 2 {
		t.Errorf("with an open call in the old worker there are the workers %v, before the upgrade %v", now, before)
	}
	up.Respond(first.Stream, nil)
	wantStatus(t, client.Answer(1), "0")
	p.Eventually(wire.Patience, "the old worker has ended", func() bool { now := p.Workers(); return len(now) == 1 && now[0] != before[0] })

	// what was started from the new binary is replaced from there
	p.Signal(syscall.SIGUSR2)
	other.WantGoAway(2)
	p.Signal(syscall.SIGTERM)
	if code := p.WaitExit(wire.Patience); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if exists(path) {
		t.Error("the socket file stays behind")
	}
}

// TestUpgradeToWhatDoesNotRun changes nothing, and says why.
func TestUpgradeToWhatDoesNotRun(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	before := p.Workers()
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	for binary, want := range map[string]string{"/bin/false": "cannot take over", "/bin/true": "before it was ready", text: "cannot take over"} {
		if out, err := upgrade(t, p, "--binary", binary); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s: expected a failure that says %q, got %v: %s", binary, want, err, out)
		}
	}
	good, err := os.ReadFile(p.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Config, append(good, []byte("no_such_key: 1\n")...), 0o600); err != nil { // a file that the new worker refuses
		t.Fatal(err)
	}
	if out, err := upgrade(t, p); err == nil || !strings.Contains(out, "before it was ready") {
		t.Errorf("a bad file: expected a failure, got %v: %s", err, out)
	}
	if now := p.Workers(); len(now) != 1 || now[0] != before[0] {
		t.Errorf("the workers were %v and are %v", before, now)
	}
	wantStatus(t, client.Call(3, nil, wire.Request(echoPath)...), "0")
	if n := client.Count(func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }); n != 0 {
		t.Error("the old worker said goodbye")
	}
}

// TestUpgradeWaitsForEndpoints: a new worker that cannot learn the endpoints yet takes nothing over, and no connection either.
func TestUpgradeWaitsForEndpoints(t *testing.T) {
	t.Parallel()
	c := startCluster(t, "", sliceOf("echo-a", "127.0.7.1"))
	c.wantEndpoints(t, 1)
	calls := startLoad(t, c.entry, 200)
	token, err := os.ReadFile(c.api.Token)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.api.Token); err != nil {
		t.Fatal(err)
	}
	before := c.proxy.Workers()
	ended := make(chan error, 1)
	go func() {
		out, err := upgrade(t, c.proxy)
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		ended <- err
	}()
	eventually(t, "the new worker cannot ask", func() bool { return strings.Count(c.proxy.Log(), "lookup_failed") > 0 })
	for range 20 {
		if err := callOnce(dial(t, c.entry), time.Second); err != nil {
			t.Errorf("a new connection meanwhile: %v", err)
		}
	}
	if status, _ := c.proxy.Get("/ready"); status != 200 {
		t.Errorf("/ready answered %d meanwhile", status)
	}
	if len(c.proxy.Workers()) != 2 || strings.Contains(c.proxy.Log(), "upgraded") {
		t.Errorf("workers %v, the old one was %v", c.proxy.Workers(), before)
	}
	c.api.SetToken(t, strings.TrimSpace(string(token)))
	if err := <-ended; err != nil {
		t.Error(err)
	}
	calls.wantNoneFailed(t)
}

// TestUpgradeCommand has what cannot be asked.
func TestUpgradeCommand(t *testing.T) {
	for want, args := range map[string][]string{
		"no outrigger with a supervisor": {"--pid", fmt.Sprint(os.Getpid())},
		"cannot be executed":             {"--pid", "1", "--binary", "/no/such/file"},
		"expected a process id":          {"--pid", "x"},
	} {
		out, err := exec.Command(proxy.Binary(t), append([]string{"upgrade"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: expected %q, got %v: %s", args, want, err, out)
		}
	}
}

// traffic is 1,000 unary calls a second, 50 long streams and somebody who connects all the time.
type traffic struct {
	t                     *testing.T
	calls, failed, dials  atomic.Int64
	ended                 atomic.Int64 // streams that the deadline of a drain ended
	mu                    sync.Mutex
	began                 time.Time // the last drain
	wait                  sync.WaitGroup
	stop                  context.CancelFunc
	deadline              time.Duration
	refusedMeansItIsEnded bool // the addresses end in turn: only calls count
}

func (l *traffic) drainBegins() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.began = time.Now()
}

func (l *traffic) start(addresses ...string) {
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for range 4 {
		r := manual.NewBuilderWithScheme("pool")
		var state resolver.State
		for _, address := range addresses {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
		}
		r.InitialState(state)
		cc, err := grpc.NewClient("pool:///x", grpc.WithResolvers(r), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`), grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: time.Second}))
		if err != nil {
			l.t.Fatal(err)
		}
		l.t.Cleanup(func() { cc.Close() })
		client := testgrpc.NewTestServiceClient(cc)
		for range 5 {
			l.wait.Go(func() { l.unary(ctx, client) })
		}
		for range 13 {
			l.wait.Go(func() { l.streams(ctx, client) })
		}
	}
	if !l.refusedMeansItIsEnded {
		l.wait.Go(func() { l.connects(ctx, addresses[0]) })
	}
}

func (l *traffic) unary(ctx context.Context, client testgrpc.TestServiceClient) {
	tick := time.NewTicker(20 * time.Millisecond) // 20 of us
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		one, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		_, err := client.EmptyCall(one, &testgrpc.Empty{})
		cancel()
		l.calls.Add(1)
		if err != nil && l.failed.Add(1) < 5 {
			l.t.Errorf("call %d: %v", l.calls.Load(), err)
		}
	}
}

// streams holds one open all the time. It may end only at the deadline of a drain, with its reason.
func (l *traffic) streams(ctx context.Context, client testgrpc.TestServiceClient) {
	for ctx.Err() == nil {
		stream, err := client.FullDuplexCall(ctx)
		for err == nil {
			err = stream.Send(&testgrpc.StreamingOutputCallRequest{ResponseParameters: []*testgrpc.ResponseParameters{{Size: 10}}})
			_, err = stream.Recv()
			time.Sleep(20 * time.Millisecond)
		}
		if ctx.Err() != nil {
			return
		}
		l.mu.Lock()
		lived := time.Since(l.began)
		l.mu.Unlock()
		if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "drain deadline") {
			l.t.Errorf("a stream ended otherwise: %v", err)
		} else if lived < l.deadline-200*time.Millisecond || lived > l.deadline+time.Second {
			l.t.Errorf("a stream ended %v after the drain began, at a deadline of %v", lived, l.deadline)
		}
		l.ended.Add(1)
	}
}

func (l *traffic) connects(ctx context.Context, address string) {
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			l.t.Errorf("connect: %v", err)
			return
		}
		conn.Close()
		l.dials.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
}

func (l *traffic) end() {
	l.stop()
	l.wait.Wait()
	l.t.Logf("%d calls, %d failed; %d connects; %d streams ended at a deadline", l.calls.Load(), l.failed.Load(), l.dials.Load(), l.ended.Load())
	if l.ended.Load() < 50 {
		l.t.Errorf("only %d streams met a deadline", l.ended.Load())
	}
}

// echoServer is grpc-go's own test service.
func echoServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

func drainingYAML(listen, forward string, deadline time.Duration) string {
	return fmt.Sprintf("drain: { window: 200ms, deadline: %dms }\ninbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", deadline.Milliseconds(), listen, forward)
}

// TestUpgradeUnderLoad swaps binaries under traffic: no call fails, nobody is refused, streams live to the deadline.
func TestUpgradeUnderLoad(t *testing.T) {
	rounds := 2
	if full() {
		rounds = 20
	}
	listen, deadline := proxy.Address(t), 2*time.Second
	p := proxy.Start(t, drainingYAML(listen, echoServer(t), deadline))
	binaries := []string{copyBinary(t, "one"), copyBinary(t, "two")}
	l := &traffic{t: t, deadline: deadline}
	l.start(listen)
	time.Sleep(300 * time.Millisecond)
	for round := range rounds {
		l.drainBegins()
		if out, err := upgrade(t, p, "--binary", binaries[round%2]); err != nil {
			t.Errorf("upgrade %d: %v: %s", round, err, out)
		}
		p.Eventually(deadline+5*time.Second, "the old worker has ended", func() bool { return len(p.Workers()) == 1 })
		time.Sleep(2500 * time.Millisecond)
	}
	l.end()
	if code := func() int { p.Signal(syscall.SIGINT); return p.WaitExit(wire.Patience) }(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestDrainUnderLoad ends and starts two proxies in turn, as a rolling update does: no call fails.
func TestDrainUnderLoad(t *testing.T) {
	rounds := 2
	if full() {
		rounds = 20
	}
	deadline, forward := 2*time.Second, echoServer(t)
	listen := []string{proxy.Address(t), proxy.Address(t)}
	running := []*proxy.Proxy{proxy.Start(t, drainingYAML(listen[0], forward, deadline)), proxy.Start(t, drainingYAML(listen[1], forward, deadline))}
	l := &traffic{t: t, deadline: deadline, refusedMeansItIsEnded: true}
	l.start(listen...)
	time.Sleep(500 * time.Millisecond)
	for round := range rounds {
		i := round % 2
		l.drainBegins()
		running[i].Signal(syscall.SIGTERM)
		if code := running[i].WaitExit(deadline + time.Second); code != 0 {
			t.Errorf("exit code %d", code)
		}
		running[i] = proxy.Start(t, drainingYAML(listen[i], forward, deadline))
		time.Sleep(2 * time.Second) // clients have found it again
	}
	l.end()
}
