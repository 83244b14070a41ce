package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

const peerSize = 40_000 // an allocation as large as this is one whose size a peer chose

// scarce is a proxy whose worker runs out of memory at will.
type scarce struct {
	*proxy.Proxy
	listen string
	order  []byte // shared with the worker, see testdata/failmalloc.c
}

func (s *scarce) arm(n uint64) { binary.NativeEndian.PutUint64(s.order, n) }

// left is what remains of the count: over 0 when so many allocations were not made.
func (s *scarce) left() int64 { return int64(binary.NativeEndian.Uint64(s.order)) }

func (s *scarce) size() uint64 { return binary.NativeEndian.Uint64(s.order[8:]) }

func startScarce(t *testing.T, library, forward string, files cert.Files) *scarce {
	t.Helper()
	path := filepath.Join(t.TempDir(), "order")
	file, err := os.Create(path)
	if err == nil {
		err = file.Truncate(16)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	order, err := syscall.Mmap(int(file.Fd()), 0, 16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	listen := proxy.Address(t)
	p := proxy.StartWith(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, forward),
		proxy.Options{Env: []string{"LD_PRELOAD=" + library, "FAILMALLOC=" + path}})
	return &scarce{p, listen, order}
}

// calls makes a handshake and 100 calls, each with an end in time, whatever it is.
func (s *scarce) calls(t *testing.T, secure credentials.TransportCredentials, n uint64) (ok int) {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+s.listen, grpc.WithTransportCredentials(secure))
	if err != nil {
		t.Fatal(err)
	}
	defer cc.Close()
	client := testgrpc.NewTestServiceClient(cc)
	for i := range 100 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		request := &testgrpc.SimpleRequest{Payload: &testgrpc.Payload{Body: make([]byte, 100)}}
		if i%20 == 10 {
			request.Payload.Body = make([]byte, peerSize+5000)
		}
		response, err := client.UnaryCall(ctx, request)
		if ctx.Err() != nil {
			t.Errorf("allocation %d: call %d has no end: %v", n, i, err)
		}
		cancel()
		if err == nil {
			ok++
			if len(response.GetPayload().GetBody()) != 0 {
				t.Errorf("allocation %d: call %d has a body that nobody sent", n, i)
			}
		}
	}
	return ok
}

// TestOutOfMemory fails one allocation of the worker after another, over a handshake and 100 calls: calls are refused, or the
// worker ends and another one serves. Nothing hangs, and no peer chooses the size that ends a worker.
func TestOutOfMemory(t *testing.T) {
	library := filepath.Join(t.TempDir(), "failmalloc.so")
	if out, err := exec.Command("cc", "-shared", "-fPIC", "-O1", "-fno-builtin", "-o", library, "testdata/failmalloc.c").CombinedOutput(); err != nil {
		t.Fatalf("cc: %v: %s", err, out)
	}
	ca, dir := cert.New(t), t.TempDir()
	files := cert.Write(t, dir, "payment", ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), DNS: []string{"payment.shop"}}), ca)
	caller := ca.Issue(t, cert.Leaf{URI: cert.ID("order")})
	secure := credentials.NewTLS(ca.ClientTLS(t, &caller, "payment.shop"))
	forward := echoServer(t)
	s := startScarce(t, library, forward, files)
	if ok := s.calls(t, secure, 0); ok != 100 {
		t.Fatalf("with all memory %d of 100 calls succeed", ok)
	}
	done, refused, died := 0, 0, 0
	for n := uint64(1); n <= 5000 && !t.Failed(); n++ {
		before := s.Workers()
		s.arm(n)
		ok := s.calls(t, secure, n)
		left := s.left()
		s.arm(0)
		if left > 0 {
			t.Logf("a handshake and 100 calls make %d allocations", n-uint64(left))
			break
		}
		done++
		now := s.Workers()
		switch {
		case len(now) == 1 && len(before) == 1 && now[0] == before[0]:
			refused += 100 - ok
		default:
			died++
			if s.size() >= peerSize {
				t.Errorf("allocation %d: the worker ended for %d bytes, which a peer chose", n, s.size())
			}
			s.Eventually(wire.Patience, "another worker serves", func() bool { now := s.Workers(); return len(now) == 1 && now[0] != before[0] })
			s.Signal(syscall.SIGKILL) // the next one without a wait between workers
			s.WaitExit(wire.Patience)
			s = startScarce(t, library, forward, files)
		}
		if ok := s.calls(t, secure, n); ok != 100 {
			t.Errorf("allocation %d: afterwards %d of 100 calls succeed", n, ok)
		}
		if !full() {
			n += n/4 + 2
		}
	}
	t.Logf("%d allocations failed: %d calls refused, %d workers ended", done, refused, died)
}
