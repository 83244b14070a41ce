package abuse

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
)

// TestA19SlowStarts opens sockets that never come to a request, on a port in the clear and on one with TLS: each is closed
// at its deadline.
func TestA19SlowStarts(t *testing.T) {
	each, deadline, blocked := sized(10, 100), sized(time.Second, 5*time.Second), sized(time.Second, 10*time.Second)
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "edge", ca.Service(t, "edge"), ca)
	secure, bounds := proxy.Address(t), "bounds: { pending_handshakes: 2000, connections_per_listener: 2000 }\n"
	if !full() {
		bounds = "bounds: { preface_timeout: 1s, handshake_timeout: 1s, header_block_timeout: 1s }\n"
	}
	s := stage(t, "", fmt.Sprintf("  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\nidentity: { certificate: %s, private_key: %s, trust: %s }\n%s",
		secure, files.Cert, files.Key, files.Trust, bounds))
	noise := make([]byte, 300)
	_, _ = rand.Read(noise)
	noise[0] = 0x80 // no TLS record and no letter
	hello := append([]byte(http2.ClientPreface), frames.Append(nil, frames.Settings, 0, 0, nil)...)
	half := append(append([]byte{}, hello...), frames.Append(frames.Append(nil, frames.Settings, frames.Ack, 0, nil), frames.Headers, 0, 1, quick)...)
	old := []byte("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
	var wait sync.WaitGroup
	s.under(func() time.Duration {
		for _, c := range []struct {
			name    string
			address string
			first   []byte
			dribble []byte // byte by byte behind it, which must not help
			within  time.Duration
		}{
			{"nothing", s.address, nil, nil, deadline},
			{"half a preface", s.address, hello[:10], nil, deadline},
			{"a preface, dribbled", s.address, hello[:1], hello[1:20], deadline},
			{"half a header block", s.address, half, nil, blocked},
			{"a header block, dribbled", s.address, half, frames.Append(nil, frames.Continuation, 0, 1, make([]byte, 200)), blocked},
			{"no handshake", secure, nil, nil, deadline},
			{"half a record", secure, []byte{22, 3, 1, 2, 0, 1}, nil, deadline},
			{"HTTP/1.1", s.address, old, nil, 0},
			{"HTTP/1.1 to TLS", secure, old, nil, 0},
			{"noise", s.address, noise, nil, 0},
			{"noise to TLS", secure, noise, nil, 0},
		} {
			for range each {
				wait.Go(func() {
					least, most, err := silence(c.address, c.first, c.dribble, deadline/40)
					if err != nil {
						t.Errorf("%s: %v", c.name, err)
					} else if most < c.within || least > c.within+time.Second {
						t.Errorf("%s: closed after %v to %v, expected %v", c.name, least, most, c.within)
					}
				})
			}
		}
		wait.Wait()
		return time.Second // they do nothing but wait
	})
	s.judge(fmt.Sprintf("%v, %v", deadline, blocked), grownMaxKiB, "preface_timeout")
	for _, name := range []string{"handshake_timeout", "header_block_timeout"} {
		s.wantRisen(name)
	}
}

// silence tells how long the peer kept a connection on which nothing useful came: at least since it was connected here, at
// most since it was asked for. The peer's clock began in between, and on a busy machine these are far apart.
func silence(address string, first, dribble []byte, gap time.Duration) (least, most time.Duration, err error) {
	asked := time.Now()
	nc, err := net.DialTimeout("tcp", address, peer.Patience)
	if err != nil {
		return 0, 0, err
	}
	defer nc.Close()
	start := time.Now()
	_, _ = nc.Write(first)
	go func() {
		for i := range dribble {
			time.Sleep(gap)
			if _, err := nc.Write(dribble[i : i+1]); err != nil {
				return
			}
		}
	}()
	_ = nc.SetReadDeadline(start.Add(30 * time.Second))
	_, err = io.Copy(io.Discard, nc)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		return 0, 0, fmt.Errorf("open after 30 s")
	}
	return time.Since(start), time.Since(asked), nil
}
