package e2e

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

// mirror answers with what it got: a unary call once, a stream message by message.
type mirror struct {
	testgrpc.UnimplementedTestServiceServer
}

func (mirror) UnaryCall(_ context.Context, request *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	return &testgrpc.SimpleResponse{Payload: request.Payload}, nil
}

func (mirror) FullDuplexCall(stream testgrpc.TestService_FullDuplexCallServer) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&testgrpc.StreamingOutputCallResponse{Payload: request.Payload}); err != nil {
			return err
		}
	}
}

// TestStorm mixes calls of all sizes and ways to end over both sidecars, from many callers on few connections. Every
// message must come back as it went, and every call end as its caller chose.
func TestStorm(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(32 << 20))
	testgrpc.RegisterTestServiceServer(server, mirror{})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	pair := startPair(t, listener.Addr().String())
	length := 5 * time.Second
	if full() {
		length = 2 * time.Minute
	}
	ctx, stop := context.WithTimeout(context.Background(), length)
	defer stop()
	seed := newSeed(t)
	var mu sync.Mutex
	outcomes := map[codes.Code]int{}
	var wait sync.WaitGroup
	for connection := range 4 {
		cc, err := grpc.NewClient("passthrough:///"+pair.entry, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(32<<20)))
		if err != nil {
			t.Fatal(err)
		}
		defer cc.Close()
		client := testgrpc.NewTestServiceClient(cc)
		for i := range 6 {
			wait.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(6*connection+i)))
				for ctx.Err() == nil && !t.Failed() {
					code := stormCall(t, client, r)
					mu.Lock()
					outcomes[code]++
					mu.Unlock()
				}
			})
		}
	}
	wait.Wait()
	t.Logf("outcomes: %v", outcomes)
}

// stormCall makes one call of a random kind and judges its end.
func stormCall(t *testing.T, client testgrpc.TestServiceClient, r *rand.Rand) codes.Code {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	body := make([]byte, r.IntN(2000))
	if r.IntN(20) == 0 {
		body = make([]byte, r.IntN(2<<20))
	}
	for i := range body {
		body[i] = byte(i * (len(body) + 7))
	}
	switch kind := r.IntN(10); {
	case kind < 6:
		response, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: body}})
		if err != nil || !bytes.Equal(response.GetPayload().GetBody(), body) {
			t.Errorf("unary call of %d bytes: %v, %d bytes came back", len(body), err, len(response.GetPayload().GetBody()))
		}
		return status.Code(err)
	case kind < 7: // given up at a random moment
		time.AfterFunc(time.Duration(r.IntN(5000))*time.Microsecond, cancel)
		_, err := client.UnaryCall(ctx, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: body}})
		if code := status.Code(err); code != codes.OK && code != codes.Canceled {
			t.Errorf("cancelled call: %v", err)
		}
		return status.Code(err)
	case kind < 8: // out of time at a random moment
		short, end := context.WithTimeout(ctx, time.Duration(1+r.IntN(5))*time.Millisecond)
		defer end()
		_, err := client.UnaryCall(short, &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: body}})
		if code := status.Code(err); code != codes.OK && code != codes.DeadlineExceeded {
			t.Errorf("call with a short deadline: %v", err)
		}
		return status.Code(err)
	default:
		return stormStream(ctx, t, client, r, body, kind == 9)
	}
}

// stormStream takes turns on a stream, and ends it properly or by cancelling.
func stormStream(ctx context.Context, t *testing.T, client testgrpc.TestServiceClient, r *rand.Rand, body []byte, giveUp bool) codes.Code {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Errorf("open a stream: %v", err)
		return status.Code(err)
	}
	for turn := range r.IntN(6) {
		if err = stream.Send(&testgrpc.StreamingOutputCallRequest{Payload: &testgrpc.Payload{Body: body}}); err != nil {
			t.Errorf("turn %d: send: %v", turn, err)
		}
		response, err := stream.Recv()
		if err != nil || !bytes.Equal(response.GetPayload().GetBody(), body) {
			t.Errorf("turn %d of %d bytes: %v, %d bytes came back", turn, len(body), err, len(response.GetPayload().GetBody()))
			return status.Code(err)
		}
	}
	if giveUp {
		return codes.Canceled
	}
	if err = stream.CloseSend(); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err = stream.Recv(); err != io.EOF {
		t.Errorf("expected the end of the stream, got %v", err)
		return status.Code(err)
	}
	return codes.OK
}
