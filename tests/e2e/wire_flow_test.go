package e2e

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/wire"
)

// enough is more than any pair of windows and buffers on the way may take of one stream: 64 KiB at the receiver, 64 KiB in
// the proxy, 64 KiB of window granted, and frames in flight.
const enough = 256 << 10

// still is how long a sender waits before it believes that no more room comes.
const still = 300 * time.Millisecond

// TestUploadStopsWithTheEndpoint: window is given back as the endpoint takes data, not before.
func TestUploadStopsWithTheEndpoint(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{KeepWindow: true, Quiet: true})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	sent := client.Send(1, true, body, still)
	if sent < 65535 || sent > enough {
		t.Errorf("an endpoint that takes 65535 bytes made the caller send %d", sent)
	}
	up := endpoint.Accept()
	stream := up.NextRequest(0).Stream
	if got := len(wire.Collect(up.Frames(), stream).Data); got != 65535 {
		t.Errorf("the endpoint allowed 65535 bytes and got %d", got)
	}
	up.Window(0, 4<<20)
	up.Window(stream, 4<<20)
	client.Send(1, true, body[sent:], wire.Patience)
	up.WantEnd(stream)
	if got := wire.Collect(up.Frames(), stream).Data; !bytes.Equal(got, body) {
		t.Errorf("the body arrived damaged: %d bytes of %d", len(got), len(body))
	}
	up.Respond(stream, nil)
	wantStatus(t, client.Answer(1), "0")
}

// TestDownloadStopsWithTheCaller is the same the other way.
func TestDownloadStopsWithTheCaller(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.DialAs(t, address, nil, wire.Behaviour{KeepWindow: true, Quiet: true})
	client.Headers(1, true, wire.Request(echoPath)...)
	up := endpoint.Accept()
	stream := up.NextRequest(0).Stream
	up.Headers(stream, false, wire.OK()...)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	sent := up.Send(stream, false, body, still)
	if sent < 65535 || sent > enough {
		t.Errorf("a caller that takes 65535 bytes made the endpoint send %d", sent)
	}
	if got := len(wire.Collect(client.Frames(), 1).Data); got != 65535 {
		t.Errorf("the caller allowed 65535 bytes and got %d", got)
	}
	client.Window(0, 4<<20)
	client.Window(1, 4<<20)
	up.Send(stream, false, body[sent:], wire.Patience)
	up.Headers(stream, true, field("grpc-status", "0"))
	answer := client.Answer(1)
	wantStatus(t, answer, "0")
	if !bytes.Equal(answer.Data, body) {
		t.Errorf("the body arrived damaged: %d bytes of %d", len(answer.Data), len(body))
	}
}

// TestStalledStreamHoldsUpNobody keeps some uploads stuck and calls beside them on the same connections.
func TestStalledStreamHoldsUpNobody(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{KeepWindow: true, Quiet: true, OnFrame: func(c *wire.Conn, f wire.Frame) {
		if f.Type == http2.FrameSettings && len(f.Settings) > 0 {
			c.Window(0, 1<<30)
		}
		wire.Echo(c, f)
	}})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	var wait sync.WaitGroup
	for i := range 8 {
		stream := uint32(2*i + 1)
		client.Headers(stream, false, wire.Request("/test.Echo/Stuck")...)
		wait.Go(func() { client.Send(stream, true, make([]byte, 1<<20), still) })
	}
	wait.Wait()
	for i := range 50 {
		wantStatus(t, client.Call(uint32(2*i+101), make([]byte, 1000), wire.Request(echoPath)...), "0")
	}
}

// TestMemoryIsBounded has an endpoint that stops reading its socket under many uploads.
func TestMemoryIsBounded(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{KeepWindow: true, Quiet: true})
	p, address := inbound(t, endpoint.Address, "limits: { max_requests: 2000 }")
	const connections, streams = 20, 50
	var clients []*wire.Conn
	for range connections {
		clients = append(clients, wire.DialAs(t, address, nil, wire.Behaviour{Quiet: true}))
	}
	clients[0].Headers(1, false, wire.Request("/test.Echo/Stuck")...)
	up := endpoint.Accept()
	up.NextRequest(0)
	up.Pause()
	clients[0].Data(1, false, make([]byte, 100)) // the frame after which reading stops
	before := p.ResidentKiB()
	var wait sync.WaitGroup
	var sent atomic.Int64
	for _, client := range clients {
		for i := range streams {
			stream := uint32(2*i + 3)
			client.Headers(stream, false, wire.Request("/test.Echo/Stuck")...)
			wait.Go(func() { sent.Add(int64(client.Send(stream, true, make([]byte, 1<<20), still))) })
		}
	}
	wait.Wait()
	grown := p.ResidentKiB() - before
	t.Logf("%d stuck uploads on %d connections took %d KiB: %d KiB of memory more", connections*streams, connections, sent.Load()>>10, grown)
	if limit := connections*streams*64*12/10 + 4096; grown > limit { // 64 KiB a stream and a fifth for all else
		t.Errorf("memory grew by %d KiB, expected at most %d", grown, limit)
	}
	for _, client := range clients {
		client.Close()
	}
	up.Resume()
}

// TestTinyAndPaddedFrames sends many frames that carry little; the window that padding takes must come back too.
func TestTinyAndPaddedFrames(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{Quiet: true, OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	client.Headers(1, false, wire.Request(echoPath)...)
	for i := range 900 {
		if !client.SendPadded(1, bytes.Repeat([]byte{byte(i)}, 20), 230, wire.Patience) {
			t.Fatalf("no window after %d padded frames", i)
		}
	}
	client.Data(1, true, nil)
	answer := client.Answer(1)
	wantStatus(t, answer, "0")
	if len(answer.Data) != 18000 {
		t.Errorf("%d bytes came back of 18000", len(answer.Data))
	}
	message := wire.Message([]byte("split to single bytes"))
	client.Headers(3, false, wire.Request(echoPath)...)
	for _, b := range message {
		client.Data(3, false, []byte{b})
	}
	client.Data(3, true, nil)
	if answer = client.Answer(3); answer.Status() != "0" || !bytes.Equal(answer.Data, message) {
		t.Errorf("single bytes: %v", answer)
	}
}

// TestTrickledHeaderBlock writes a header block with CONTINUATION one byte at a time, which is legal.
func TestTrickledHeaderBlock(t *testing.T) {
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	_, address := inbound(t, endpoint.Address, "")
	client := wire.Dial(t, address, nil)
	block := wire.Encode(wire.Request(echoPath, field("x-long", "0123456789012345678901234567890123456789"))...)
	head, rest := block[:10], block[10:]
	frames := append([]byte{0, 0, byte(len(head)), 1, 1, 0, 0, 0, 1}, head...)
	frames = append(frames, 0, 0, byte(len(rest)), 9, 4, 0, 0, 0, 1)
	frames = append(frames, rest...)
	client.PingWait() // else the acknowledgement of SETTINGS could come between the bytes
	for _, b := range frames {
		client.Raw([]byte{b})
	}
	wantStatus(t, client.Answer(1), "0")
}
