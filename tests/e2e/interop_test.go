package e2e

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/orca"
)

// Environment of the interop client: the case, the address and whether messages are compressed.
const (
	interopCase    = "E2E_INTEROP_CASE"
	interopAddress = "E2E_INTEROP_ADDRESS"
	interopGzip    = "E2E_INTEROP_GZIP"
)

type interopFunc func(ctx context.Context, cc *grpc.ClientConn, options ...grpc.CallOption)

// service adapts a case that takes the generated client and options.
func service(f func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) interopFunc {
	return func(ctx context.Context, cc *grpc.ClientConn, options ...grpc.CallOption) {
		f(ctx, testgrpc.NewTestServiceClient(cc), options...)
	}
}

// interopCases are those of the interop document that grpc-go has and that need no cloud credentials.
var interopCases = map[string]interopFunc{
	"empty_unary":                 service(interop.DoEmptyUnaryCall),
	"large_unary":                 service(interop.DoLargeUnaryCall),
	"client_streaming":            service(interop.DoClientStreaming),
	"server_streaming":            service(interop.DoServerStreaming),
	"ping_pong":                   service(interop.DoPingPong),
	"empty_stream":                service(interop.DoEmptyStream),
	"timeout_on_sleeping_server":  service(interop.DoTimeoutOnSleepingServer),
	"cancel_after_begin":          service(interop.DoCancelAfterBegin),
	"cancel_after_first_response": service(interop.DoCancelAfterFirstResponse),
	"status_code_and_message":     service(interop.DoStatusCodeAndMessage),
	"special_status_message":      service(interop.DoSpecialStatusMessage),
	"custom_metadata":             service(interop.DoCustomMetadata),
	"unimplemented_method": func(ctx context.Context, cc *grpc.ClientConn, _ ...grpc.CallOption) {
		interop.DoUnimplementedMethod(ctx, cc)
	},
	"unimplemented_service": func(ctx context.Context, cc *grpc.ClientConn, _ ...grpc.CallOption) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(cc))
	},
	"pick_first_unary": func(ctx context.Context, cc *grpc.ClientConn, _ ...grpc.CallOption) {
		interop.DoPickFirstUnary(ctx, testgrpc.NewTestServiceClient(cc))
	},
	"orca_per_rpc": func(ctx context.Context, cc *grpc.ClientConn, _ ...grpc.CallOption) {
		interop.DoORCAPerRPCTest(ctx, testgrpc.NewTestServiceClient(cc))
	},
	"rpc_soak":     soak(false),
	"channel_soak": soak(true),
}

func soak(newChannel bool) interopFunc {
	return func(ctx context.Context, cc *grpc.ClientConn, _ ...grpc.CallOption) {
		iterations := 1000
		if newChannel {
			iterations = 200 // each keeps its connection until the end
		}
		if full() {
			iterations *= 4
		}
		interop.DoSoakTest(ctx, interop.SoakTestConfig{
			RequestSize: 271828, ResponseSize: 314159, PerIterationMaxAcceptableLatency: 20 * time.Second,
			OverallTimeout: time.Duration(iterations) * 200 * time.Millisecond, Iterations: iterations, NumWorkers: 4,
			ServerAddr: os.Getenv(interopAddress),
			ChannelForTest: func() (*grpc.ClientConn, func()) {
				if !newChannel {
					return cc, func() {}
				}
				fresh := interopDial()
				return fresh, func() { fresh.Close() }
			},
		})
	}
}

func interopDial() *grpc.ClientConn {
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("test.example")}
	if os.Getenv(interopCase) == "orca_per_rpc" {
		options = append(options, grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}`))
	}
	cc, err := grpc.NewClient("passthrough:///"+os.Getenv(interopAddress), options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return cc
}

// interopClient is the whole process of one case; the library ends it with a message when the case fails.
func interopClient(name string) {
	cc := interopDial()
	defer cc.Close()
	var options []grpc.CallOption
	if os.Getenv(interopGzip) != "" {
		options = append(options, grpc.UseCompressor(gzip.Name))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	interopCases[name](ctx, cc, options...)
	fmt.Println("passed")
}

// identified fills in the server's id, which grpc-go's test service leaves out.
type identified struct{ testgrpc.TestServiceServer }

func (s identified) UnaryCall(ctx context.Context, request *testgrpc.SimpleRequest) (*testgrpc.SimpleResponse, error) {
	response, err := s.TestServiceServer.UnaryCall(ctx, request)
	if err == nil && request.FillServerId {
		response.ServerId = "the only one"
	}
	return response, err
}

// interopServer is grpc-go's own test service in this process.
func interopServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(orca.CallMetricsServerOption(nil))
	testgrpc.RegisterTestServiceServer(server, identified{interop.NewTestServer()})
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// TestInterop sends every case through an outbound sidecar, mTLS, and an inbound sidecar, as it is and compressed.
func TestInterop(t *testing.T) {
	pair := startPair(t, interopServer(t))
	for _, name := range slices.Sorted(maps.Keys(interopCases)) {
		for _, encoding := range []string{"identity", "gzip"} {
			if encoding == "gzip" && (strings.HasSuffix(name, "_soak") || strings.HasPrefix(name, "un") || strings.HasPrefix(name, "orca") || name == "pick_first_unary") {
				continue // the library has no call options there
			}
			t.Run(name+"/"+encoding, func(t *testing.T) {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), interopCase+"="+name, interopAddress+"="+pair.entry)
				if encoding == "gzip" {
					cmd.Env = append(cmd.Env, interopGzip+"=1")
				}
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "passed") {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
	}
}
