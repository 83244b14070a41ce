package stack

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// cutter stands between a sidecar and its service. When it is told to, it cuts every connection instead of handing on the next
// bytes of the service: what was asked has then been done, and nobody hears of it.
type cutter struct {
	listener net.Listener
	to       string
	mutex    sync.Mutex
	armed    int // so many answers are still to be cut off
	cuts     int
	pairs    map[net.Conn]net.Conn
}

func newCutter(t testing.TB, to string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", address(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, to: to, pairs: map[net.Conn]net.Conn{}}
	var accepting sync.WaitGroup
	accepting.Go(c.accept)
	t.Cleanup(func() {
		listener.Close()
		accepting.Wait()
		c.mutex.Lock()
		defer c.mutex.Unlock()
		for near, far := range c.pairs {
			near.Close()
			far.Close()
		}
	})
	return c
}

func (c *cutter) address() string { return c.listener.Addr().String() }

// cut has the next answers cut off.
func (c *cutter) cut(answers int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.armed = answers
}

func (c *cutter) count() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.cuts
}

func (c *cutter) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mutex.Lock()
		c.pairs[near] = far
		c.mutex.Unlock()
		go func() {
			io.Copy(far, near)
			c.drop(near, far)
		}()
		go func() {
			io.Copy(guarded{near, c}, far)
			c.drop(near, far)
		}()
	}
}

func (c *cutter) drop(near, far net.Conn) {
	near.Close()
	far.Close()
	c.mutex.Lock()
	defer c.mutex.Unlock()
	delete(c.pairs, near)
}

// guarded is the way back to the sidecar.
type guarded struct {
	net.Conn
	cutter *cutter
}

var errCut = errors.New("cut")

// What an answer to a call has at least; acknowledgements are shorter.
const answerBytes = 60

func (g guarded) Write(bytes []byte) (int, error) {
	g.cutter.mutex.Lock()
	cut := g.cutter.armed > 0 && len(bytes) >= answerBytes
	if cut {
		g.cutter.armed--
		g.cutter.cuts++
	}
	g.cutter.mutex.Unlock()
	if cut {
		return 0, errCut
	}
	return g.Conn.Write(bytes)
}
