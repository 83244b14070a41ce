package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/dns"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// everywhere is one server that is an endpoint on every loopback address, and knows at which one it was called.
type everywhere struct {
	testgrpc.UnimplementedTestServiceServer
	port int

	mu    sync.Mutex
	calls map[string][]time.Time // by the IP that was called
	conns map[string]int         // open ones, by IP
}

func (e *everywhere) UnaryCall(ctx context.Context, request *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	at, _ := peer.FromContext(ctx)
	e.mu.Lock()
	ip := ipOf(at.LocalAddr)
	e.calls[ip] = append(e.calls[ip], time.Now())
	e.mu.Unlock()
	return &testgrpc.SimpleResponse{Payload: request.Payload}, nil
}

func ipOf(a net.Addr) string { return a.(*net.TCPAddr).AddrPort().Addr().Unmap().String() }

// called tells how often an IP was called since then.
func (e *everywhere) called(ip string, since time.Time) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, at := range e.calls[ip] {
		if at.After(since) {
			n++
		}
	}
	return n
}

// firstCall is when an IP was first called after since; ok is false when it was not.
func (e *everywhere) firstCall(ip string, since time.Time) (at time.Time, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.calls[ip], func(at time.Time) bool { return at.After(since) })
	if i < 0 {
		return time.Time{}, false
	}
	return e.calls[ip][i], true
}

func (e *everywhere) open(ip string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[ip]
}

type countingListener struct {
	net.Listener
	e *everywhere
}

type countedConn struct {
	net.Conn
	once sync.Once
	left func()
}

func (l countingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ip := ipOf(nc.LocalAddr())
	count := func(n int) {
		l.e.mu.Lock()
		defer l.e.mu.Unlock()
		l.e.conns[ip] += n
	}
	count(1)
	return &countedConn{Conn: nc, left: func() { count(-1) }}, nil
}

func (c *countedConn) Close() error {
	c.once.Do(c.left)
	return c.Conn.Close()
}

func startEverywhere(t *testing.T, options ...grpc.ServerOption) *everywhere {
	t.Helper()
	e := &everywhere{port: proxy.Port(t), calls: map[string][]time.Time{}, conns: map[string]int{}}
	listener, err := net.Listen("tcp", fmt.Sprintf("[::]:%d", e.port)) // both families
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	testgrpc.RegisterTestServiceServer(server, e)
	go server.Serve(countingListener{listener, e})
	t.Cleanup(server.Stop)
	return e
}

// load calls at a steady rate and keeps what failed.
type load struct {
	cc     *grpc.ClientConn
	client testgrpc.TestServiceClient
	stop   context.CancelFunc
	wait   sync.WaitGroup
	calls  atomic.Int64
	mu     sync.Mutex
	failed []string
}

func dial(t *testing.T, entry string) testgrpc.TestServiceClient {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+entry, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return testgrpc.NewTestServiceClient(cc)
}

func callOnce(client testgrpc.TestServiceClient, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte("x")}})
	return err
}

func startLoad(t *testing.T, entry string, perSecond int) *load {
	t.Helper()
	l := &load{client: dial(t, entry)}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	l.wait.Go(func() {
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			l.wait.Go(func() {
				l.calls.Add(1)
				if err := callOnce(l.client, 5*time.Second); err != nil {
					l.mu.Lock()
					l.failed = append(l.failed, err.Error())
					l.mu.Unlock()
				}
			})
		}
	})
	t.Cleanup(func() { l.stop(); l.wait.Wait() })
	return l
}

// wantNoneFailed ends the load and judges it.
func (l *load) wantNoneFailed(t *testing.T) {
	t.Helper()
	l.stop()
	l.wait.Wait()
	if len(l.failed) > 0 {
		t.Errorf("%d of %d calls failed; the first: %s", len(l.failed), l.calls.Load(), l.failed[0])
	} else {
		t.Logf("%d calls, none failed", l.calls.Load())
	}
}

func addresses(ips ...string) (all []netip.Addr) {
	for _, ip := range ips {
		all = append(all, netip.MustParseAddr(ip))
	}
	return all
}

// named is a proxy whose service is known by name alone.
type named struct {
	*proxy.Proxy
	entry string
}

func startNamed(t *testing.T, server *dns.Server, name string, port int, service, policy, resolv string) named {
	t.Helper()
	return startNamedBy(t, 1, server, name, port, service, policy, resolv)
}

func startNamedBy(t *testing.T, workers int, server *dns.Server, name string, port int, service, policy, resolv string) named {
	t.Helper()
	entry := proxy.Address(t)
	yaml := fmt.Sprintf("workers: %d\n", workers) + strings.Replace(outboundYAML(entry, []string{"x"}, service, policy), `static: [ "x" ]`, fmt.Sprintf(`dns: "%s:%d"`, name, port), 1)
	return named{proxy.StartWith(t, yaml, proxy.Options{Wrapper: server.Wrapper(t, resolv)}), entry}
}

func (p named) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	v, ok := p.Metric(name, labels...)
	if !ok {
		t.Fatalf("no metric %s %v", name, labels)
	}
	return v
}

// wantSlow checks that the server was asked at most once a second for each family, as the questions of one turn count once.
func wantSlow(t *testing.T, server *dns.Server) {
	t.Helper()
	last := map[string]time.Time{}
	for _, q := range server.Queries() {
		key := fmt.Sprint(q.Name, q.Type, q.TCP)
		if gap := q.At.Sub(last[key]); gap < 990*time.Millisecond {
			t.Errorf("asked twice for %s %v within %v", q.Name, q.Type, gap)
		}
		last[key] = q.At
	}
	if len(last) == 0 {
		t.Error("nobody was asked")
	}
}

// TestDNSFollowsChanges swaps records under load: what comes is used within TTL + 1 s, what goes gets no new call and is
// said goodbye to, what stays keeps its connection, and no call fails.
func TestDNSFollowsChanges(t *testing.T) {
	server := dns.Listen(t, dns.Reply{Addresses: addresses("127.0.0.1", "127.0.0.2"), TTL: 1})
	endpoints := startEverywhere(t)
	p := startNamed(t, server, "payment.test.", endpoints.port, "", "", "")
	calls := startLoad(t, p.entry, 500)
	eventually(t, "both are called", func() bool {
		return endpoints.called("127.0.0.1", time.Time{}) > 0 && endpoints.called("127.0.0.2", time.Time{}) > 0
	})
	for turn := range 4 {
		goes, comes := fmt.Sprintf("127.0.0.%d", turn+1), fmt.Sprintf("127.0.0.%d", turn+3)
		changed := time.Now()
		server.Say(dns.Reply{Addresses: addresses(fmt.Sprintf("127.0.0.%d", turn+2), comes), TTL: 1})
		eventually(t, comes+" is called", func() bool { return endpoints.called(comes, changed) > 0 })
		at, _ := endpoints.firstCall(comes, changed)
		t.Logf("the change was seen after %v", at.Sub(changed))
		if at.Sub(changed) > 2*time.Second {
			t.Errorf("that is more than TTL + 1 s")
		}
		eventually(t, "the connection to "+goes+" is closed", func() bool { return endpoints.open(goes) == 0 })
		closed := time.Now()
		eventually(t, "more calls", func() bool { return endpoints.called(comes, closed) > 50 })
		if n := endpoints.called(goes, closed); n > 0 {
			t.Errorf("%s is gone and was called %d times", goes, n)
		}
	}
	calls.wantNoneFailed(t)
	wantSlow(t, server)
	if n := p.metric(t, "outrigger_discovery_changes_total", `service="echo"`); n != 5 {
		t.Errorf("%v changes, expected 5", n)
	}
	if n := endpoints.open("127.0.0.5"); n != 1 {
		t.Errorf("%d connections to an endpoint that stayed", n)
	}
	if n := strings.Count(p.Log(), "endpoints_changed"); n != 5 {
		t.Errorf("%d lines endpoints_changed in the log, expected 5", n)
	}
}

// TestDNSKeepsLastGood answers in every wrong way after a good answer: the last good one holds, no call fails, and the next
// good answer is taken.
func TestDNSKeepsLastGood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason string
		wrong        dns.Reply
	}{
		{"NXDOMAIN", "nxdomain", dns.Reply{Code: dnsmessage.RCodeNameError}},
		{"SERVFAIL", "servfail", dns.Reply{Code: dnsmessage.RCodeServerFailure}},
		{"REFUSED", "refused", dns.Reply{Code: dnsmessage.RCodeRefused}},
		{"empty", "empty", dns.Reply{}},
		{"timeout", "timeout", dns.Reply{Silent: true}},
		{"malformed", "malformed", dns.Reply{Garbage: true}},
		{"CNAME loop", "empty", dns.Reply{Loop: true, TTL: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := dns.Listen(t, dns.Reply{Addresses: addresses("127.0.0.1", "127.0.0.2")}) // TTL 0
			endpoints := startEverywhere(t)
			p := startNamed(t, server, "payment.test.", endpoints.port, "", "", "")
			calls := startLoad(t, p.entry, 50)
			eventually(t, "both are called", func() bool {
				return endpoints.called("127.0.0.1", time.Time{}) > 0 && endpoints.called("127.0.0.2", time.Time{}) > 0
			})
			server.Say(c.wrong)
			eventually(t, "two failures in a row", func() bool {
				n, ok := p.Metric("outrigger_discovery_failures_total", `service="echo"`, fmt.Sprintf("reason=%q", c.reason))
				return ok && n >= 2
			})
			if n := p.metric(t, "outrigger_discovery_endpoints", `service="echo"`); n != 2 {
				t.Errorf("%v endpoints are left, expected the 2 of the last good answer", n)
			}
			if n := p.metric(t, "outrigger_discovery_last_good_age_seconds", `service="echo"`); n < 1 || n > 30 {
				t.Errorf("the last good answer is %v s old", n)
			}
			if got := discoveryOf(t, p); got.Error != c.reason || got.Failures < 2 || got.Name != fmt.Sprintf("payment.test.:%d", endpoints.port) || got.LastGoodAt == "" {
				t.Errorf("/config shows %+v", got)
			}
			if !strings.Contains(p.Log(), `"event":"lookup_failed"`) || strings.Count(p.Log(), "lookup_failed") != 1 {
				t.Errorf("the failure is not told once:\n%s", p.Log())
			}
			server.Say(dns.Reply{Addresses: addresses("127.0.0.3")})
			eventually(t, "the next good answer is taken", func() bool { return endpoints.called("127.0.0.3", time.Time{}) > 0 })
			calls.wantNoneFailed(t)
			wantSlow(t, server)
		})
	}
}

type discovery struct {
	Name       string
	LastGoodAt string `json:"last_good_at"`
	Error      string
	Failures   int
	Endpoints  int
}

func discoveryOf(t *testing.T, p named) discovery {
	t.Helper()
	_, body := p.Get("/config")
	var page struct {
		Config struct {
			Services []struct {
				Name      string
				Discovery discovery
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, s := range page.Config.Services {
		if s.Name == "echo" {
			return s.Discovery
		}
	}
	t.Fatalf("no service echo in %s", body)
	return discovery{}
}

// TestDNSFlapping changes the records ten times a second with TTL 0: the server is asked once a second and no call fails.
func TestDNSFlapping(t *testing.T) {
	t.Parallel()
	server := dns.Listen(t, dns.Reply{})
	begin := time.Now()
	server.SayOf(func(string) dns.Reply {
		turn := int(time.Since(begin) / (100 * time.Millisecond))
		return dns.Reply{Addresses: addresses(fmt.Sprintf("127.0.0.%d", turn%7+1), fmt.Sprintf("127.0.0.%d", turn%5+10))}
	})
	endpoints := startEverywhere(t)
	p := startNamedBy(t, min(2, runtime.NumCPU()), server, "payment.test.", endpoints.port, "", "", "")
	calls, more := startLoad(t, p.entry, 250), startLoad(t, p.entry, 250)
	length := 6.0
	if full() {
		length = 60
	}
	p.Eventually(time.Duration(2*length)*time.Second, "enough changes", func() bool {
		n, _ := p.Metric("outrigger_discovery_changes_total", `service="echo"`)
		return n > length/2
	})
	calls.wantNoneFailed(t)
	more.wantNoneFailed(t)
	wantSlow(t, server)
}

// TestDNSThousandRecords needs TCP, takes them all, and no more than it may.
func TestDNSThousandRecords(t *testing.T) {
	t.Parallel()
	var all []netip.Addr
	for i := range 1500 {
		all = append(all, netip.AddrFrom4([4]byte{127, 1, byte(i / 250), byte(i%250 + 1)}))
	}
	server := dns.Listen(t, dns.Reply{Addresses: all[:1000], TTL: 1, Truncate: true})
	endpoints := startEverywhere(t)
	p := startNamed(t, server, "payment.test.", endpoints.port, "", "", "")
	calls := startLoad(t, p.entry, 200)
	p.Eventually(wire.Patience, "256 endpoints of 1,000 are connected", func() bool {
		n, _ := p.Metric("outrigger_endpoint_connections", `service="echo"`)
		return n == 256
	})
	if !slices.ContainsFunc(server.Queries(), func(q dns.Query) bool { return q.TCP }) {
		t.Error("the truncated answer was not asked for again over TCP")
	}
	if n := p.metric(t, "outrigger_discovery_endpoints", `service="echo"`); n != 1000 {
		t.Errorf("%v endpoints", n)
	}
	slices.Reverse(all[:1000]) // another order is no change
	server.Say(dns.Reply{Addresses: all[:1000], TTL: 1, Truncate: true})
	asked := p.metric(t, "outrigger_discovery_updates_total", `service="echo"`)
	eventually(t, "two more answers", func() bool {
		return p.metric(t, "outrigger_discovery_updates_total", `service="echo"`) >= asked+2
	})
	if n := p.metric(t, "outrigger_discovery_changes_total", `service="echo"`); n != 1 {
		t.Errorf("%v changes for an answer in another order", n)
	}
	server.Say(dns.Reply{Addresses: all, TTL: 1, Truncate: true})
	eventually(t, "the cut is told", func() bool {
		return strings.Contains(p.Log(), "endpoints_cut") || p.metric(t, "outrigger_discovery_updates_total", `service="echo"`) > asked+6
	})
	if n := p.metric(t, "outrigger_discovery_endpoints", `service="echo"`); n != 1000 {
		t.Errorf("%v endpoints of 1,500 records, at most 1,000 are taken", n)
	}
	calls.wantNoneFailed(t)
}

// TestDNSBeforeTheFirstAnswer: the process is ready at once, calls wait for the answer as for a connection, and end with
// NO_ENDPOINT when their time in the queue is over.
func TestDNSBeforeTheFirstAnswer(t *testing.T) {
	t.Parallel()
	server := dns.Listen(t, dns.Reply{Code: dnsmessage.RCodeServerFailure})
	endpoints := startEverywhere(t)
	p := startNamed(t, server, "payment.test.", endpoints.port, "", "limits: { pending_timeout: 4s }", "")
	client := dial(t, p.entry)
	ended := make(chan error, 1)
	go func() { ended <- callOnce(client, 8*time.Second) }()
	eventually(t, "the call waits", func() bool {
		n, ok := p.Metric("outrigger_requests_pending", `scope="echo"`)
		return ok && n == 1
	})
	server.Say(dns.Reply{Addresses: addresses("127.0.0.1"), TTL: 60})
	if err := <-ended; err != nil {
		t.Errorf("the call that waited for the answer: %v", err)
	}

	never := startNamed(t, dns.Listen(t, dns.Reply{Silent: true}), "payment.test.", endpoints.port, "", "limits: { pending_timeout: 300ms }", "")
	start := time.Now()
	err := callOnce(dial(t, never.entry), 8*time.Second)
	if took := time.Since(start); status.Code(err) != codes.Unavailable || took < 300*time.Millisecond {
		t.Errorf("without any answer: %v after %v", err, took)
	}
	if !strings.Contains(status.Convert(err).Message(), "payment.test.") {
		t.Errorf("the message does not name what is looked up: %v", err)
	}
}

// TestDNSSearchDomains finds a short name in the second search domain, and a name with enough dots as it is.
func TestDNSSearchDomains(t *testing.T) {
	t.Parallel()
	server := dns.Listen(t, dns.Reply{})
	server.SayOf(func(name string) dns.Reply {
		if strings.EqualFold(name, "payment.two.test.") {
			return dns.Reply{Addresses: addresses("127.0.0.1"), TTL: 60}
		}
		return dns.Reply{Code: dnsmessage.RCodeNameError}
	})
	endpoints := startEverywhere(t)
	for _, name := range []string{"payment", "payment.two.test", "payment.two.test."} {
		before := len(server.Queries())
		p := startNamed(t, server, name, endpoints.port, "", "", "search one.test two.test\noptions ndots:2\n")
		if err := callOnce(dial(t, p.entry), 5*time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var asked []string
		for _, q := range server.Queries()[before:] {
			if q.Type == dnsmessage.TypeA {
				asked = append(asked, q.Name)
			}
		}
		want := []string{"payment.two.test."}
		if name == "payment" {
			want = []string{"payment.one.test.", "payment.two.test."}
		}
		if !slices.Equal(asked, want) {
			t.Errorf("%s: asked for %v, expected %v", name, asked, want)
		}
	}
}

// TestDNSFamilies gives addresses of both families: one that cannot be reached fails no call, and a family whose question
// fails keeps its last good part.
func TestDNSFamilies(t *testing.T) {
	t.Parallel()
	server := dns.Listen(t, dns.Reply{Addresses: addresses("127.0.0.1", "::1", "fd99::1"), TTL: 1})
	endpoints := startEverywhere(t)
	p := startNamed(t, server, "payment.test.", endpoints.port, "", "", "")
	calls := startLoad(t, p.entry, 100)
	eventually(t, "both families are called", func() bool {
		return endpoints.called("127.0.0.1", time.Time{}) > 20 && endpoints.called("::1", time.Time{}) > 20
	})
	server.Say(dns.Reply{Addresses: addresses("127.0.0.2"), TTL: 1, Fail6: true})
	eventually(t, "the good family is followed", func() bool { return endpoints.called("127.0.0.2", time.Time{}) > 20 })
	since := time.Now()
	eventually(t, "the failing family is still called", func() bool { return endpoints.called("::1", since) > 5 })
	if n := p.metric(t, "outrigger_discovery_endpoints", `service="echo"`); n != 3 {
		t.Errorf("%v endpoints, expected one new and two kept", n)
	}
	server.Say(dns.Reply{Addresses: addresses("127.0.0.2"), TTL: 1})
	eventually(t, "the other family is gone", func() bool { return endpoints.open("::1") == 0 })
	calls.wantNoneFailed(t)
}

// TestDNSNameIsChecked: without a peer, the name that is looked up is what the certificate must show.
func TestDNSNameIsChecked(t *testing.T) {
	t.Parallel()
	ca, dir := cert.New(t), t.TempDir()
	files := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	server := dns.Listen(t, dns.Reply{Addresses: addresses("127.0.0.1"), TTL: 60})
	endpoints := startEverywhere(t, grpc.Creds(credentials.NewTLS(ca.ServerTLS(t, ca.Issue(t, cert.Leaf{DNS: []string{"payment.test"}})))))
	for name, want := range map[string]codes.Code{"payment.test.": codes.OK, "payment.test": codes.OK, "other.test": codes.Unavailable} {
		entry := proxy.Address(t)
		yaml := identity(files) + strings.Replace(outboundYAML(entry, []string{"x"}, "tls: mutual", ""), `static: [ "x" ]`,
			fmt.Sprintf(`dns: "%s:%d"`, name, endpoints.port), 1)
		proxy.StartWith(t, yaml, proxy.Options{Wrapper: server.Wrapper(t, "")})
		if err := callOnce(dial(t, entry), 5*time.Second); status.Code(err) != want {
			t.Errorf("%s: expected %v, got %v", name, want, err)
		}
	}
}

// TestReloadSwapsEndpoints changes a static list under load, again and again: no call fails, and an endpoint that stays
// keeps its connection.
func TestReloadSwapsEndpoints(t *testing.T) {
	endpoints := startEverywhere(t)
	list := func(ips ...string) (all []string) {
		for _, ip := range ips {
			all = append(all, fmt.Sprintf("%s:%d", ip, endpoints.port))
		}
		return all
	}
	p, entry := outbound(t, list("127.0.0.1", "127.0.0.2"), "", "")
	calls := startLoad(t, entry, 500)
	eventually(t, "both are called", func() bool {
		return endpoints.called("127.0.0.1", time.Time{}) > 0 && endpoints.called("127.0.0.2", time.Time{}) > 0
	})
	turns := 20
	if full() {
		turns = 200
	}
	for turn := range turns {
		comes := fmt.Sprintf("127.0.0.%d", turn%5+3)
		since := time.Now()
		p.Write(outboundYAML(entry, list(comes, "127.0.0.2"), "", ""))
		p.Signal(1)
		eventually(t, comes+" is called", func() bool { return endpoints.called(comes, since) > 20 })
	}
	calls.wantNoneFailed(t)
	endpoints.mu.Lock()
	defer endpoints.mu.Unlock()
	for ip, n := range endpoints.conns {
		if want := map[bool]int{true: 1, false: 0}[ip == "127.0.0.2" || ip == fmt.Sprintf("127.0.0.%d", (turns-1)%5+3)]; n != want {
			t.Errorf("%d connections to %s at the end, expected %d", n, ip, want)
		}
	}
}
