package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// helloOf is the first flight of an honest client.
func helloOf(t *testing.T, config *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		_ = tls.Client(theirs, config).Handshake()
		theirs.Close()
	}()
	buffer := make([]byte, 16*1024)
	n, err := ours.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}

// record wraps bytes as they would be on the wire.
func record(kind byte, body []byte) []byte {
	return append([]byte{kind, 3, 3, byte(len(body) >> 8), byte(len(body))}, body...)
}

// TestHandshakeGarbage opens connections with hellos that are wrong in known and in random ways. Each ends by an alert or a
// close, or waits for more; the process lives on and serves.
func TestHandshakeGarbage(t *testing.T) {
	t.Parallel()
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	address := proxy.Address(t)
	p := proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\n", address))
	order := ca.Service(t, "order")
	hello := helloOf(t, ca.ClientTLS(t, &order, "localhost"))
	body := hello[5:]
	var fragments []byte
	for _, b := range body {
		fragments = append(fragments, record(22, []byte{b})...)
	}
	flood := func(n int, piece []byte) (out []byte) {
		for range n {
			out = append(out, piece...)
		}
		return out
	}
	cases := map[string][]byte{
		"a record of 65,535 bytes":     append([]byte{22, 3, 1, 255, 255}, make([]byte, 65535)...),
		"a hello of 16 MiB announced":  record(22, []byte{1, 255, 255, 255, 3, 3}),
		"empty records":                flood(5000, record(22, nil)),
		"change cipher spec first":     flood(5000, record(20, []byte{1})),
		"alerts":                       flood(5000, record(21, []byte{1, 90})),
		"data first":                   record(23, make([]byte, 1000)),
		"heartbeat":                    record(24, []byte{1, 255, 255}),
		"early data behind the hello":  append(append([]byte{}, hello...), flood(50, record(23, make([]byte, 16000)))...),
		"two hellos":                   append(append([]byte{}, hello...), hello...),
		"finished in clear text":       append(append([]byte{}, hello...), record(22, append([]byte{20, 0, 0, 32}, make([]byte, 32)...))...),
		"key updates in clear text":    append(append([]byte{}, hello...), flood(1000, record(22, []byte{24, 0, 0, 1, 1}))...),
		"an unknown handshake message": record(22, []byte{99, 0, 0, 4, 1, 2, 3, 4}),
		"SSL 2":                        {0x80, 46, 1, 0, 2, 0, 21, 0, 0, 0, 16},
	}
	var wait sync.WaitGroup
	slots := make(chan struct{}, 16)
	send := func(name string, data []byte, must bool) {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			nc, err := wire.DialRaw(address)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(8 * time.Second))
			_, _ = nc.Write(data)
			if tcp, ok := nc.(*net.TCPConn); ok && !must {
				_ = tcp.CloseWrite()
			}
			if _, err := io.Copy(io.Discard, nc); os.IsTimeout(err) {
				t.Errorf("%s: still open after 8 s", name)
			}
		})
	}
	before, start := p.CPU(), p.ResidentKiB()
	for name, data := range cases {
		send(name, data, true)
	}
	seed := newSeed(t)
	random := rand.New(rand.NewPCG(seed, 1))
	for i := 0; i < len(hello); i += 7 {
		send("a hello cut short", hello[:i], false)
	}
	for range 1000 {
		data := append([]byte{}, hello...)
		for range 1 + random.IntN(4) {
			data[5+random.IntN(len(body))] = byte(random.Uint32())
		}
		send("a hello with bytes changed", data, false)
	}
	send("a hello in records of one byte", fragments, false)
	wait.Wait()
	if used := p.CPU() - before; used > 3*time.Second {
		t.Errorf("%v of CPU for about 1,100 bad hellos", used)
	}
	if grown := p.ResidentKiB() - start; grown > 16*1024 {
		t.Errorf("memory grew by %d KiB", grown)
	}
	if err := tryTLS(address, ca.ClientTLS(t, &order, "localhost")); err != nil {
		t.Errorf("an honest caller is refused: %v", err)
	}
}
