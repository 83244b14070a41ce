package e2e

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// till keeps how often each payment was executed, over all endpoints.
type till struct {
	testgrpc.UnimplementedTestServiceServer
	mu       sync.Mutex
	executed map[string]int
}

func (s *till) UnaryCall(_ context.Context, request *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.executed[string(request.Payload.Body)]++
	return &testgrpc.SimpleResponse{Payload: request.Payload}, nil
}

// endpointCycle is a server on a fixed address that can be ended, gracefully or not, and started again.
type endpointCycle struct {
	address string
	service *till
	server  *grpc.Server
}

func (e *endpointCycle) start(t *testing.T) {
	t.Helper()
	var listener net.Listener
	eventually(t, "the endpoint listens again", func() (ok bool) {
		var err error
		listener, err = net.Listen("tcp", e.address)
		return err == nil
	})
	e.address = listener.Addr().String()
	e.server = grpc.NewServer()
	testgrpc.RegisterTestServiceServer(e.server, e.service)
	go e.server.Serve(listener)
}

// rest is the rhythm of the faults.
func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// TestNothingIsPaidTwice charges unique ids while endpoints are cut off, drained and started again: each id is executed
// at most once, and exactly once when the caller heard OK.
func TestNothingIsPaidTwice(t *testing.T) {
	service := &till{executed: map[string]int{}}
	var endpoints [3]endpointCycle
	var addresses []string
	for i := range endpoints {
		endpoints[i] = endpointCycle{address: "127.0.0.1:0", service: service}
		endpoints[i].start(t)
		addresses = append(addresses, endpoints[i].address)
	}
	_, entry := outbound(t, addresses, "balance: round_robin", "")
	cc, err := grpc.NewClient("passthrough:///"+entry, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	client := testgrpc.NewTestServiceClient(cc)
	length := 6 * time.Second
	if full() {
		length = time.Minute
	}
	ctx, stop := context.WithTimeout(context.Background(), length)
	defer stop()
	var mu sync.Mutex
	heard, outcomes, messages := map[string]codes.Code{}, map[codes.Code]int{}, map[string]int{}
	var number atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for ctx.Err() == nil {
				id := fmt.Sprintf("payment-%d", number.Add(1))
				callCtx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				_, err := client.UnaryCall(callCtx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: []byte(id)}})
				cancel()
				mu.Lock()
				heard[id] = status.Code(err)
				outcomes[status.Code(err)]++
				if err != nil {
					messages[status.Convert(err).Message()]++
				}
				mu.Unlock()
			}
		})
	}
	for turn := 0; ctx.Err() == nil; turn++ {
		victim := &endpoints[turn%3]
		if turn%2 == 0 {
			victim.server.Stop()
		} else {
			victim.server.GracefulStop()
		}
		rest(ctx, 200*time.Millisecond)
		victim.start(t)
		rest(ctx, 500*time.Millisecond) // long enough to be connected again before the next one goes
	}
	wait.Wait()
	for i := range endpoints {
		endpoints[i].server.Stop()
	}
	t.Logf("%d payments: %v %v", len(heard), outcomes, messages)
	for id, code := range heard {
		switch n := service.executed[id]; {
		case n > 1:
			t.Errorf("%s was executed %d times", id, n)
		case code == codes.OK && n != 1:
			t.Errorf("%s: the caller heard OK, it was executed %d times", id, n)
		case code != codes.OK && code != codes.Unavailable:
			t.Errorf("%s: the caller heard %v", id, code)
		}
	}
	if outcomes[codes.OK] < len(heard)*95/100 {
		t.Errorf("%d of %d payments succeeded", outcomes[codes.OK], len(heard))
	}
}
