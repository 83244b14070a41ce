// Package dns is a name server of a few lines that says what a test wants said, right or wrong, on a loopback address of
// its own, and the way to make one process believe in it alone: a mount namespace with another resolv.conf.
package dns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Reply is what the server says about a name. The zero value is an empty answer: the name exists and has no address.
type Reply struct {
	Addresses []netip.Addr
	TTL       uint32
	Code      dnsmessage.RCode // NXDOMAIN, SERVFAIL ...
	Loop      bool             // two CNAMEs that point at each other, in place of addresses
	Silent    bool             // no reply at all
	Garbage   bool             // the right header, then bytes that are no message
	Truncate  bool             // over UDP: TC and nothing else
	Fail6     bool             // AAAA alone gets SERVFAIL
	Services  []Service        // SRV records
}

// Service is an SRV record.
type Service struct {
	Priority, Weight, Port uint16
	Host                   string // "a.test."
}

// Query is a question that came in.
type Query struct {
	At   time.Time
	Name string
	Type dnsmessage.Type
	TCP  bool
}

// Server answers until the test is over.
type Server struct {
	Address string // an IP, port 53

	mu      sync.Mutex
	answer  func(name string) Reply
	queries []Query
	udp     net.PacketConn
	tcp     net.Listener
}

// Listen starts a server that says r about every name.
func Listen(t testing.TB, r Reply) *Server {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: port 53 and a mount namespace")
	}
	s := &Server{}
	s.Say(r)
	for range 50 {
		s.Address = fmt.Sprintf("127.%d.%d.%d", 64+rand.IntN(64), rand.IntN(256), 1+rand.IntN(254))
		var err error
		if s.udp, err = net.ListenPacket("udp", s.Address+":53"); err != nil {
			continue
		}
		if s.tcp, err = net.Listen("tcp", s.Address+":53"); err == nil {
			break
		}
		s.udp.Close()
		s.udp = nil
	}
	if s.udp == nil {
		t.Fatal("no loopback address with a free port 53")
	}
	t.Cleanup(func() { s.udp.Close(); s.tcp.Close() })
	go s.serveUDP()
	go s.serveTCP()
	return s
}

// Say changes what is said from now on about every name.
func (s *Server) Say(r Reply) { s.SayOf(func(string) Reply { return r }) }

// SayOf is Say by name; names come as "payment.shop.".
func (s *Server) SayOf(answer func(name string) Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Queries are all questions so far.
func (s *Server) Queries() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query{}, s.queries...)
}

// Wrapper is the command that runs another one with a resolv.conf that names this server, and more lines.
func (s *Server) Wrapper(t testing.TB, more string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("nameserver "+s.Address+"\n"+more), 0o644); err != nil {
		t.Fatal(err)
	}
	wrapper := []string{"unshare", "--mount", "--propagation", "private", "sh", "-c",
		"mount --bind " + file + " /etc/resolv.conf && exec \"$@\"", "sh"}
	if out, err := exec.Command(wrapper[0], append(append([]string{}, wrapper[1:]...), "true")...).CombinedOutput(); err != nil {
		t.Skipf("no mount namespace here: %v: %s", err, out)
	}
	return wrapper
}

func (s *Server) serveUDP() {
	in := make([]byte, 4096)
	for {
		n, from, err := s.udp.ReadFrom(in)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		if out := s.reply(in[:n], false); out != nil {
			_, _ = s.udp.WriteTo(out, from)
		}
	}
}

func (s *Server) serveTCP() {
	for {
		nc, err := s.tcp.Accept()
		if err != nil {
			return
		}
		go s.serveConn(nc)
	}
}

func (s *Server) serveConn(nc net.Conn) {
	defer nc.Close()
	for {
		var size [2]byte
		if _, err := io.ReadFull(nc, size[:]); err != nil {
			return
		}
		in := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(nc, in); err != nil {
			return
		}
		out := s.reply(in, true)
		if out == nil {
			continue
		}
		if _, err := nc.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)); err != nil {
			return
		}
	}
}

// reply makes the bytes of an answer, nil for none.
func (s *Server) reply(in []byte, tcp bool) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(in)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	s.mu.Lock()
	s.queries = append(s.queries, Query{time.Now(), q.Name.String(), q.Type, tcp})
	answer := s.answer
	s.mu.Unlock()
	r := answer(q.Name.String())
	if r.Silent {
		return nil
	}
	h := dnsmessage.Header{ID: header.ID, Response: true, RecursionDesired: true, RecursionAvailable: true, RCode: r.Code,
		Truncated: r.Truncate && !tcp}
	if r.Fail6 && q.Type == dnsmessage.TypeAAAA {
		h.RCode = dnsmessage.RCodeServerFailure
	}
	b := dnsmessage.NewBuilder(nil, h)
	b.EnableCompression()
	must(b.StartQuestions())
	must(b.Question(q))
	must(b.StartAnswers())
	if h.RCode == dnsmessage.RCodeSuccess && !h.Truncated {
		fill(&b, q, r)
	}
	out, err := b.Finish()
	must(err)
	if r.Garbage {
		binary.BigEndian.PutUint16(out[6:], 7) // seven answers, of which the first is nonsense and the others are not there
		out = append(out, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	return out
}

func fill(b *dnsmessage.Builder, q dnsmessage.Question, r Reply) {
	head := func(name dnsmessage.Name) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: r.TTL}
	}
	if r.Loop {
		other := dnsmessage.MustNewName("loop." + q.Name.String())
		must(b.CNAMEResource(head(q.Name), dnsmessage.CNAMEResource{CNAME: other}))
		must(b.CNAMEResource(head(other), dnsmessage.CNAMEResource{CNAME: q.Name}))
	}
	for _, v := range r.Services {
		if q.Type == dnsmessage.TypeSRV {
			must(b.SRVResource(head(q.Name), dnsmessage.SRVResource{Priority: v.Priority, Weight: v.Weight, Port: v.Port, Target: dnsmessage.MustNewName(v.Host)}))
		}
	}
	for _, a := range r.Addresses {
		switch {
		case a.Is4() && q.Type == dnsmessage.TypeA:
			must(b.AResource(head(q.Name), dnsmessage.AResource{A: a.As4()}))
		case a.Is6() && q.Type == dnsmessage.TypeAAAA:
			must(b.AAAAResource(head(q.Name), dnsmessage.AAAAResource{AAAA: a.As16()}))
		}
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
