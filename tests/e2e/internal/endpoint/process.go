package endpoint

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// environment names the variable by which a program that calls Main becomes an endpoint.
const environment = "E2E_ENDPOINT"

// order is one line on the standard input of an endpoint process.
type order struct {
	Mode   *Mode         `json:"mode,omitempty"`
	GoAway bool          `json:"goaway,omitempty"`
	Deaf   time.Duration `json:"deaf,omitempty"`
}

// Main serves if this process was started by Launch, and never returns then. Call it first in main or TestMain.
func Main() {
	settings := os.Getenv(environment)
	if settings == "" {
		return
	}
	if err := serve(settings); err != nil {
		fmt.Fprintln(os.Stderr, "endpoint:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serve(settings string) error {
	listen, path, _ := strings.Cut(settings, " ")
	ledger, err := OpenLedger(path)
	if err != nil {
		return err
	}
	s, err := Start(Options{Listen: listen, Ledger: ledger, Service: 2 * time.Millisecond})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	orders := json.NewDecoder(os.Stdin)
	for {
		var o order
		if err := orders.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if o.Mode != nil {
			s.Set(*o.Mode)
		}
		if o.GoAway {
			go s.GoAway(o.Deaf)
		}
	}
}

// Process is an endpoint in a process of its own, which can be stopped and killed.
type Process struct {
	Address, Ledger string

	mu     sync.Mutex
	cmd    *exec.Cmd
	orders io.WriteCloser
}

// Launch starts this program again as an endpoint, and returns when it listens.
func Launch(address, ledger string) (*Process, error) {
	p := &Process{Address: address, Ledger: ledger}
	return p, p.start()
}

func (p *Process) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), environment+"="+p.Address+" "+p.Ledger, "GOMAXPROCS=1")
	p.cmd.Stderr = os.Stderr
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		return fmt.Errorf("the endpoint on %s said %q: %v", p.Address, line, err)
	}
	return nil
}

// Set changes the mode.
func (p *Process) Set(mode Mode) error { return p.order(order{Mode: &mode}) }

// GoAway is Server.GoAway.
func (p *Process) GoAway(deaf time.Duration) error { return p.order(order{GoAway: true, Deaf: deaf}) }

// Signal stops or continues it.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Kill ends it with SIGKILL; Again starts it anew on its address and ledger.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.orders.Close()
}

// Again starts it after Kill.
func (p *Process) Again() error { return p.start() }

func (p *Process) order(o order) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return json.NewEncoder(p.orders).Encode(o)
}
