package e2e

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"outrigger/tests/e2e/internal/wire"
)

func timeoutField(value string) wire.Field { return field("grpc-timeout", value) }

// parseTimeout reads a grpc-timeout as the gRPC document defines it.
func parseTimeout(t *testing.T, value string) time.Duration {
	t.Helper()
	units := map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond}
	if len(value) < 2 || len(value) > 9 || units[value[len(value)-1]] == 0 {
		t.Fatalf("forwarded grpc-timeout %q is malformed", value)
	}
	n, err := strconv.ParseUint(value[:len(value)-1], 10, 64)
	if err != nil {
		t.Fatalf("forwarded grpc-timeout %q is malformed", value)
	}
	unit := units[value[len(value)-1]]
	if n > uint64((1<<63-1)/int64(unit)) {
		return 1<<63 - 1
	}
	return time.Duration(n) * unit
}

func TestMalformedTimeouts(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i, value := range []string{"123456789S", "000000001S", "1", "S", "", "-1S", "+1S", "1.5S", "1s", "1h", "1 S", " 1S", "1SS", "0x1S", "1e3m", "1µ", "infinity"} {
		answer := client.Call(uint32(2*i+1), nil, wire.Request(echoPath, timeoutField(value))...)
		if strings.HasPrefix(value, " ") && answer.Reset != nil {
			continue // malformed for HTTP/2 already
		}
		if answer.Status() != "13" {
			t.Errorf("grpc-timeout %q: expected INTERNAL, got %v", value, answer)
			continue
		}
		wantReason(t, answer, "BAD_REQUEST")
	}
	if n := len(endpoint.Requests()); n != 0 {
		t.Errorf("%d calls with a malformed timeout reached the endpoint: %v", n, endpoint.Requests())
	}
	wantServes(t, address)
}

func TestZeroTimeouts(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i, value := range []string{"0n", "0u", "0m", "0S", "0M", "0H", "00000000S"} {
		answer := client.Call(uint32(2*i+1), nil, wire.Request(echoPath, timeoutField(value))...)
		if answer.Status() != "4" {
			t.Errorf("grpc-timeout %q: expected DEADLINE_EXCEEDED, got %v", value, answer)
		}
	}
	if n := len(endpoint.Requests()); n != 0 {
		t.Errorf("%d expired calls reached the endpoint", n)
	}
}

// TestForwardedTimeouts compares what the endpoint is told with what the caller said.
func TestForwardedTimeouts(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	for i, c := range []struct {
		value string
		means time.Duration
	}{
		{"1S", time.Second}, {"1000m", time.Second}, {"1000000u", time.Second}, {"99999999n", 99999999}, {"99999999u", 99999999 * time.Microsecond},
		{"2M", 2 * time.Minute}, {"1H", time.Hour}, {"0000010S", 10 * time.Second}, {"99999999S", 99999999 * time.Second},
		{"99999999M", 99999999 * time.Minute}, {"99999999H", 1<<63 - 1},
	} {
		answer := client.Call(uint32(2*i+1), nil, wire.Request(echoPath, timeoutField(c.value))...)
		if answer.Status() != "0" {
			t.Errorf("grpc-timeout %q: expected OK, got %v", c.value, answer)
			continue
		}
		requests := endpoint.Requests()
		forwarded := requests[len(requests)-1].All("grpc-timeout")
		if c.means == 1<<63-1 && len(forwarded) == 0 {
			continue // saturated: a deadline in 292 years may as well be none
		}
		if len(forwarded) != 1 {
			t.Fatalf("grpc-timeout %q: forwarded %q", c.value, forwarded)
		}
		left := parseTimeout(t, forwarded[0])
		// eight digits can cost one unit of the next coarser kind
		if left > c.means || left < c.means-c.means/1000-500*time.Millisecond {
			t.Errorf("grpc-timeout %q (%v) was forwarded as %q (%v)", c.value, c.means, forwarded[0], left)
		}
	}
	client.Call(101, nil, wire.Request(echoPath)...)
	requests := endpoint.Requests()
	if last := requests[len(requests)-1]; last.Has("grpc-timeout") {
		t.Errorf("a deadline was invented: %v", last)
	}
}

// TestTimeoutShrinksWhileWaiting keeps a call in the queue before its endpoint: what is forwarded must be what is left then.
func TestTimeoutShrinksWhileWaiting(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}}})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 1, pending_timeout: 5s }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request("/test.Echo/First")...)
	up := endpoint.Accept()
	first := up.NextRequest(0)
	up.PingWait() // our SETTINGS have been read
	start := time.Now()
	client.Headers(3, true, wire.Request("/test.Echo/Second", timeoutField("2S"))...)
	client.PingWait()
	<-time.After(300 * time.Millisecond) // the time that is to be missing
	if n := len(endpoint.Requests()); n != 1 {
		t.Fatalf("%d calls at an endpoint that allows one", n)
	}
	up.Respond(first.Stream, nil)
	second := up.NextRequest(first.Stream)
	waited := second.At.Sub(start)
	left := parseTimeout(t, second.Get("grpc-timeout"))
	if left > 2*time.Second-300*time.Millisecond || left < 2*time.Second-waited-time.Millisecond {
		t.Errorf("2 s less %v of waiting was forwarded as %q", waited, second.Get("grpc-timeout"))
	}
	up.Respond(second.Stream, nil)
	wantStatus(t, client.Answer(3), "0")
}

// TestExpiredInTheQueue lets a call expire before it could be sent: it must never be.
func TestExpiredInTheQueue(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Settings: []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 1}}})
	_, address := outbound(t, []string{endpoint.Address}, "", "limits: { max_connections_per_endpoint: 1, pending_timeout: 5s }")
	client := wire.Dial(t, address, nil)
	client.Headers(1, true, wire.Request("/test.Echo/First")...)
	up := endpoint.Accept()
	first := up.NextRequest(0)
	up.PingWait()
	start := time.Now()
	client.Headers(3, true, wire.Request("/test.Echo/Late", timeoutField("100m"))...)
	answer := client.Answer(3)
	wantStatus(t, answer, "4")
	wantTook(t, answer.At.Sub(start), 100*time.Millisecond)
	client.Headers(5, true, wire.Request("/test.Echo/Third")...)
	client.PingWait()
	up.Respond(first.Stream, nil)
	third := up.NextRequest(first.Stream)
	up.Respond(third.Stream, nil)
	wantStatus(t, client.Answer(5), "0")
	for _, request := range endpoint.Requests() {
		if request.Get(":path") == "/test.Echo/Late" {
			t.Errorf("the expired call was sent: %v", request)
		}
	}
}

// TestDeadline has an endpoint that does not answer, in different phases of the call.
func TestDeadline(t *testing.T) {
	for _, c := range []struct {
		name    string
		ended   bool
		headers bool
	}{{"request open", false, false}, {"request ended", true, false}, {"response begun", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			endpoint := wire.Local(t, wire.Behaviour{OnFrame: func(conn *wire.Conn, f wire.Frame) {
				if c.headers && f.Type == http2.FrameHeaders {
					conn.Headers(f.Stream, false, wire.OK()...)
				}
			}})
			_, address := inbound(t, endpoint.Address, "")
			client := wire.Dial(t, address, nil)
			client.PingWait()
			start := time.Now()
			client.Headers(1, c.ended, wire.Request(echoPath, timeoutField("200m"))...)
			answer := client.Answer(1)
			wantStatus(t, answer, "4")
			wantTook(t, answer.At.Sub(start), 200*time.Millisecond)
			up := endpoint.Accept()
			reset := up.WantReset(up.NextRequest(0).Stream)
			if reset.Code != http2.ErrCodeCancel {
				t.Errorf("expected RST_STREAM CANCEL at the endpoint, got %v", reset)
			}
			wantTook(t, reset.At.Sub(start), 200*time.Millisecond)
			wantFinal(t, client, 1)
		})
	}
}

// TestPolicyTimeout takes the shorter of the caller's deadline and the policy's, and the narrowest policy: each time the
// other one would outlast the patience of the test.
func TestPolicyTimeout(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, wide := inbound(t, endpoint.Address, "timeout: 300ms")
	_, narrow := inbound(t, endpoint.Address,
		"timeout: 30s, methods: { test.Echo/Quick: { timeout: 100ms }, test.Other/*: { timeout: 200ms } }")
	for _, c := range []struct {
		address, path, timeout string
		want                   time.Duration
	}{
		{wide, "/test.Echo/Unary", "", 300 * time.Millisecond}, {wide, "/test.Echo/Unary", "20S", 300 * time.Millisecond},
		{narrow, "/test.Echo/Unary", "150m", 150 * time.Millisecond}, {narrow, "/test.Echo/Quick", "", 100 * time.Millisecond},
		{narrow, "/test.Echo/Quick", "20S", 100 * time.Millisecond}, {narrow, "/test.Other/Any", "", 200 * time.Millisecond},
	} {
		client := wire.Dial(t, c.address, nil)
		fields := wire.Request(c.path)
		if c.timeout != "" {
			fields = append(fields, timeoutField(c.timeout))
		}
		client.PingWait()
		start := time.Now()
		client.Headers(1, true, fields...)
		answer := client.Answer(1)
		if answer.Status() != "4" {
			t.Errorf("%s with %q: expected DEADLINE_EXCEEDED, got %v", c.path, c.timeout, answer)
		}
		wantTook(t, answer.At.Sub(start), c.want)
	}
}

func TestIdleTimeout(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{})
	_, address := inbound(t, endpoint.Address, "idle_timeout: 400ms")
	client := wire.Dial(t, address, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	up := endpoint.Accept()
	stream := up.NextRequest(0).Stream
	up.Headers(stream, false, wire.OK()...)
	start := time.Now()
	for range 4 { // movement keeps it alive beyond the time
		<-time.After(200 * time.Millisecond)
		client.Data(1, false, wire.Message([]byte("x")))
		client.PingWait()
	}
	if n := client.Count(func(f wire.Frame) bool { return f.End() || f.Type == http2.FrameRSTStream }); n != 0 {
		t.Fatalf("a moving stream was ended after %v", time.Since(start))
	}
	last := time.Now()
	answer := client.Answer(1)
	if got := answer.Status(); got == "" || got == "0" {
		t.Errorf("expected an error status, got %v", answer)
	}
	if took := answer.At.Sub(last); took < 300*time.Millisecond {
		t.Errorf("a still stream was ended after %v, expected 400 ms", took)
	}
}

// TestDeadlineRace lets grpc-go's own timer and the proxy's run against each other, with an endpoint that answers at
// about the same moment: INTERNAL, CANCELLED or UNAVAILABLE must never show.
func TestDeadlineRace(t *testing.T) {
	pair := startPair(t, startDawdler(t))
	raceDeadlines(t, pair.entry, func(ctx context.Context, client testgrpc.TestServiceClient) error {
		_, err := client.EmptyCall(ctx, &testgrpc.Empty{})
		return err
	})
}

// TestDeadlineRaceInAMessage does it with answers of 300 KB, which the deadline cuts: trailers behind half a message would
// be INTERNAL to grpc-go.
func TestDeadlineRaceInAMessage(t *testing.T) {
	_, address := inbound(t, startDawdler(t), "")
	raceDeadlines(t, address, func(ctx context.Context, client testgrpc.TestServiceClient) error {
		_, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{ResponseSize: 300_000})
		return err
	})
}

func startDawdler(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	testgrpc.RegisterTestServiceServer(server, dawdler{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// raceDeadlines makes 960 calls, 16 at a time, with deadlines of 10 to 20 ms.
func raceDeadlines(t *testing.T, address string, do func(context.Context, testgrpc.TestServiceClient) error) {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	client := testgrpc.NewTestServiceClient(cc)
	if _, err := client.EmptyCall(context.Background(), &testgrpc.Empty{}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[codes.Code]int{}
	var wait sync.WaitGroup
	for worker := range 16 {
		wait.Go(func() {
			for call := range 60 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(10+(worker+call)%11)*time.Millisecond)
				err := do(ctx, client)
				cancel()
				mu.Lock()
				seen[status.Code(err)]++
				if code := status.Code(err); code != codes.OK && code != codes.DeadlineExceeded {
					t.Errorf("expected OK or DEADLINE_EXCEEDED, got %v", err)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	t.Logf("outcomes: %v", seen)
	if seen[codes.DeadlineExceeded] == 0 {
		t.Error("no call met its deadline: the race was not run")
	}
}

// dawdler answers after about the deadline of the race.
type dawdler struct {
	testgrpc.UnimplementedTestServiceServer
}

func (dawdler) EmptyCall(ctx context.Context, _ *testgrpc.Empty) (*testgrpc.Empty, error) {
	select {
	case <-time.After(15 * time.Millisecond):
		return &testgrpc.Empty{}, nil
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (dawdler) UnaryCall(_ context.Context, request *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	<-time.After(time.Duration(5+rand.IntN(10)) * time.Millisecond)
	return &testgrpc.SimpleResponse{Payload: &testgrpc.Payload{Body: make([]byte, request.GetResponseSize())}}, nil
}

// wantTook checks that something did not end before its deadline. How soon after it, tests/script tells, where time stands
// still, and the figures: here it may depend on what else the machine does.
func wantTook(t *testing.T, took, deadline time.Duration) {
	t.Helper()
	if took < deadline {
		t.Errorf("took %v, expected %v at least", took, deadline)
	}
}
