package abuse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"outrigger/tests/e2e/abuse/internal/frames"
	"outrigger/tests/e2e/abuse/internal/peer"
)

// TestA7DribbledContinuation sends one honest header block byte by byte.
func TestA7DribbledContinuation(t *testing.T) {
	s := stage(t, "", "")
	for _, pieces := range []int{2, 60} {
		a := peer.Attack(t, s.address, peer.Options{Track: true})
		var wire []byte
		for i := range pieces {
			part := quick[i*len(quick)/pieces : (i+1)*len(quick)/pieces]
			kind, flags := byte(frames.Continuation), byte(0)
			if i == 0 {
				kind, flags = frames.Headers, frames.EndStream
			}
			if i == pieces-1 {
				flags |= frames.EndHeaders
			}
			wire = frames.Append(wire, kind, flags, 1, part)
		}
		s.under(func() time.Duration {
			a.Run(func() {
				for i := range wire {
					a.Send(wire[i : i+1])
					time.Sleep(time.Millisecond)
				}
			})
			return a.CPU()
		})
		if !a.End(1, peer.Patience) || a.Resets() > 0 || a.Ended() {
			t.Errorf("a block in %d frames was not answered", pieces)
		}
	}
	s.judge("no", grownMaxKiB)
}

// TestHonestMetadata has 15.9 KiB and 100 fields, which are within the bounds.
func TestHonestMetadata(t *testing.T) {
	s := stage(t, "", "")
	large := frames.Request(peer.Quick, hpack.HeaderField{Name: "x-fill"})
	size := 0
	for _, f := range large {
		size += len(f.Name) + len(f.Value) + 32
	}
	large[len(large)-1].Value = strings.Repeat("f", 16281-size) // 15.9 KiB
	many := frames.Request(peer.Quick)
	for i := len(many); i < 100; i++ {
		many = append(many, hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: "v"})
	}
	a := peer.Attack(t, s.address, peer.Options{Track: true})
	s.under(func() time.Duration {
		a.Run(func() {
			for i := range sized(100, 2000) {
				block := frames.Block(large...)
				if i%2 == 1 {
					block = frames.Block(many...)
				}
				a.Open(uint32(2*i+1), true, block)
				if !a.End(uint32(2*i+1), peer.Patience) {
					t.Errorf("call %d was not answered", i)
				}
			}
		})
		return a.CPU()
	})
	if total, _, _ := s.endpoint.Attempts(); total != sized(100, 2000) || a.Resets() > 0 {
		t.Errorf("%d of %d calls came to the endpoint, %d were reset", total, sized(100, 2000), a.Resets())
	}
	s.judge("no", grownMaxKiB)
}

// TestA8HpackBomb refers to one field of 4 KiB again and again: 127,000 bytes on the wire stand for half a gigabyte.
func TestA8HpackBomb(t *testing.T) {
	s := stage(t, "", "")
	s.twin = true
	first := frames.Append(nil, frames.Headers, frames.EndHeaders|frames.EndStream, 1,
		frames.Indexed(append([]byte{}, quick...), "x-bomb", strings.Repeat("b", 3900)))
	refs := append(append([]byte{}, quick...), []byte(strings.Repeat("\xbe", 127000))...)
	var bomb []byte
	for i := 0; i < len(refs); i += 16384 {
		kind, flags := byte(frames.Continuation), byte(0)
		if i == 0 {
			kind, flags = frames.Headers, frames.EndStream
		}
		if i+16384 >= len(refs) {
			flags |= frames.EndHeaders
		}
		bomb = frames.Append(bomb, kind, flags, 3, refs[i:min(i+16384, len(refs))])
	}
	bombs := 0
	s.under(func() time.Duration {
		var cost time.Duration
		bombs = 0
		for end := time.Now().Add(sized(300*time.Millisecond, 5*time.Second)); bombs == 0 || time.Now().Before(end); bombs++ {
			a := peer.Attack(t, s.address, peer.Options{})
			a.Run(func() { blast(a, first); blast(a, bomb) })
			if !a.WaitEnd(peer.Patience) {
				t.Fatal("the connection lives")
			}
			cost += a.CPU()
		}
		return cost
	})
	each := time.Duration(s.spent * float64(time.Second) / float64(bombs))
	t.Logf("%d bombs, %v of the proxy's time each", bombs, each)
	if full() && each > 5*time.Millisecond {
		t.Errorf("%v of computing a block, at most 5 ms expected", each)
	}
	s.judge("1 block", grownMaxKiB, "header_flood")
}

// TestA8Bomb2 opens 400 streams with thousands of tiny fields each, or as many as one may have, gives no window to their
// answers, and holds on (CVE-2026-47774).
func TestA8Bomb2(t *testing.T) {
	cookies := func(n int) []byte {
		b := frames.Block(frames.Request(peer.Big)...)
		for i := range n {
			name := "cookie"
			if i%2 == 1 {
				name = string(rune('a' + i%26))
			}
			b = frames.Literal(b, name, "x")
		}
		return b
	}
	for _, c := range []struct {
		name    string
		fields  int
		counter string
		most    int
	}{{"Thousands", 4000, "header_flood", grownMaxKiB}, {"Hundreds", 300, "header_fields", grownMaxKiB}, {"Allowed", 90, "", grownMaxKiB}} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, "", "")
			block := cookies(c.fields)
			a := peer.Attack(t, s.address, peer.Options{Settings: frames.Setting(4, 0), Track: true})
			s.under(func() time.Duration {
				a.Run(func() {
					var b []byte
					for i := range 400 {
						id := uint32(2*i + 1)
						for at := 0; at < len(block); at += 16384 {
							kind, flags := byte(frames.Continuation), byte(0)
							if at == 0 {
								kind, flags = frames.Headers, frames.EndStream
							}
							if at+16384 >= len(block) {
								flags |= frames.EndHeaders
							}
							b = frames.Append(b, kind, flags, id, block[at:min(at+16384, len(block))])
						}
					}
					blast(a, b)
					for end, i := time.Now().Add(sized(time.Second, 60*time.Second)), 0; time.Now().Before(end) && !a.Ended(); i++ {
						a.Frame(frames.WindowUpdate, 0, uint32(2*(i%100)+1), frames.Word(1))
						time.Sleep(100 * time.Millisecond)
					}
				})
				return a.CPU()
			})
			closed := "no"
			if a.Ended() {
				last, _ := lastStream(a)
				closed = fmt.Sprintf("%d streams", last)
			}
			if (c.fields == 4000) != a.Ended() && !full() {
				t.Errorf("with %d fields, closed: %v", c.fields, a.Ended())
			}
			if c.counter == "" {
				s.judge(closed, c.most)
			} else {
				s.judge(closed, c.most, c.counter)
			}
		})
	}
}

// TestA9BrokenCompression has blocks that no encoder makes: each ends the connection with COMPRESSION_ERROR.
func TestA9BrokenCompression(t *testing.T) {
	s := stage(t, "", "")
	long := strings.Repeat("\xff", 60)
	vectors := map[string][]byte{
		"index 0":                     {0x80},
		"index past the tables":       {0xbe},
		"index far past the tables":   frames.Integer(nil, 0x80, 7, 1<<20),
		"integer of 6 bytes":          {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00},
		"integer without end":         []byte("\xff" + strings.Repeat("\x80", 100)),
		"integer cut":                 {0xff, 0x80},
		"name index past the tables":  {0x7f, 0x80, 0x01, 0x01, 'x'},
		"table of more than we allow": frames.Integer(nil, 0x20, 5, 4097),
		"table of 4 GiB":              {0x3f, 0xff, 0xff, 0xff, 0xff, 0x0f},
		"table changed late":          append(append([]byte{}, quick...), 0x20),
		"string longer than block":    {0x00, 0x7e, 'x'},
		"string of 4 GiB":             {0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 'x'},
		"string of 2^62":              []byte("\x00\x7f\xff\xff\xff\xff\xff\xff\xff\xff\x3f"),
		"Huffman EOS":                 []byte("\x00\x84\xff\xff\xff\xff\x01x"),
		"Huffman padding of 8 bits":   []byte("\x00\x82\x1f\xff\x01x"),
		"Huffman padding of zeros":    []byte("\x00\x81\x18\x01x"),
		"Huffman ones":                []byte("\x00" + string(rune(0x80 | 60))[:0] + "\xbc" + long + "\x01x"),
		"name only":                   {0x00, 0x01, 'x'},
		"literal without anything":    {0x00},
		"never indexed, cut":          {0x10},
	}
	s.under(func() time.Duration {
		var cost time.Duration
		for name, block := range vectors {
			a := peer.Attack(t, s.address, peer.Options{})
			a.Run(func() { a.Open(1, true, block) })
			if !a.WaitEnd(peer.Patience) {
				t.Errorf("%s: the connection lives", name)
			} else if _, code, ok := a.GoAway(); !ok || code != http2.ErrCodeCompression {
				t.Errorf("%s: GOAWAY %v, %v", name, ok, code)
			}
			cost += a.CPU()
			a.Close()
		}
		return cost
	})
	s.judge("1 block", grownMaxKiB)
}

// TestA9CostlyCompression has lawful blocks that cost as much as can be: symbols of 30 bits, a table that changes its
// size twice a block and is filled anew, names of 64 KiB.
func TestA9CostlyCompression(t *testing.T) {
	var churn []byte
	churn = append(churn, 0x20)                  // to nothing
	churn = frames.Integer(churn, 0x20, 5, 4096) // and back
	churn = append(churn, frames.Block(frames.Request(peer.Quick)...)...)
	for i := range 80 {
		churn = frames.Indexed(churn, "x", strings.Repeat("y", i))
	}
	huffman := frames.Block(frames.Request(peer.Quick)...)
	coded := hpack.AppendHuffmanString(nil, strings.Repeat("\x80\xf3\xff", 1000))
	huffman = append(frames.String(append(huffman, 0), "x-bin"), frames.Integer(nil, 0x80, 7, uint64(len(coded)))...)
	huffman = append(huffman, coded...)
	name := frames.Literal(frames.Block(frames.Request(peer.Quick)...), strings.Repeat("n", 64<<10), "v")
	for _, c := range []struct {
		name    string
		block   []byte
		closed  bool
		counter []string
	}{{"TableChurn", churn, false, nil}, {"Huffman", huffman, false, nil}, {"Name64KiB", name, true, []string{"header_flood"}}} {
		t.Run(c.name, func(t *testing.T) {
			s := stage(t, "", "")
			s.twin = true
			blocks := 0
			s.under(func() time.Duration {
				var cost time.Duration
				blocks = 0
				a := peer.Attack(t, s.address, peer.Options{Track: true})
				for end := time.Now().Add(sized(300*time.Millisecond, 5*time.Second)); blocks == 0 || time.Now().Before(end); blocks++ {
					if a.Ended() {
						cost += a.CPU()
						a.Close()
						a = peer.Attack(t, s.address, peer.Options{Track: true})
						blocks = 0
					}
					id := uint32(2*blocks + 1)
					a.Run(func() {
						var b []byte
						for at := 0; at < len(c.block); at += 16384 {
							kind, flags := byte(frames.Continuation), byte(0)
							if at == 0 {
								kind, flags = frames.Headers, frames.EndStream
							}
							if at+16384 >= len(c.block) {
								flags |= frames.EndHeaders
							}
							b = frames.Append(b, kind, flags, id, c.block[at:min(at+16384, len(c.block))])
						}
						blast(a, b)
					})
					if ended := !a.End(id, peer.Patience); ended != c.closed {
						t.Fatalf("block %d: closed %v", blocks, ended)
					}
				}
				return cost + a.CPU()
			})
			closed := "no"
			if c.closed {
				closed = "1 block"
			}
			s.judge(closed, grownMaxKiB, c.counter...)
		})
	}
}
