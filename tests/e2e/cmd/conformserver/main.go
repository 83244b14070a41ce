// Command conformserver is the "server under test" of the connectrpc conformance runner: it starts the real server in the
// clear, puts Outrigger in front with the TLS that the runner asks for, and answers with Outrigger's address.
//
//	conformserver SERVER [ARGUMENT...]      OUTRIGGER names the proxy
//
// The runner's two messages are read and written by field number, as their Go package is internal to the runner.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"outrigger/tests/e2e/internal/proxy"
)

// Field numbers of ServerCompatRequest, ServerCompatResponse and TLSCreds.
const (
	requestUseTLS     = 4
	requestClientCert = 5
	requestCreds      = 7
	credsCert         = 1
	credsKey          = 2
	responseHost      = 1
	responsePort      = 2
	responseCert      = 3
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "conformserver:", err)
		os.Exit(1)
	}
}

func run(server []string) error {
	if len(server) == 0 || os.Getenv("OUTRIGGER") == "" {
		return errors.New("usage: OUTRIGGER=BINARY conformserver SERVER [ARGUMENT...]")
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	request, err := readMessage(os.Stdin)
	if err != nil {
		return err
	}
	asked, plain, err := split(request)
	if err != nil {
		return err
	}
	behind, port, err := startServer(server, plain)
	if err != nil {
		return err
	}
	defer end(behind)
	dir, err := os.MkdirTemp("", "conformserver")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	front, listen, err := startProxy(dir, asked, port)
	if err != nil {
		return err
	}
	defer end(front)
	if err := writeMessage(os.Stdout, response(listen, asked.cert)); err != nil {
		return err
	}
	<-stop
	return nil
}

// tlsRequest is what the runner asks of the side that faces it.
type tlsRequest struct {
	on              bool
	cert, key       []byte
	trustedByClient []byte
}

// split takes the TLS part out of a request; the rest, in the clear, is for the server behind.
func split(request []byte) (asked tlsRequest, plain []byte, err error) {
	err = fields(request, func(number protowire.Number, kind protowire.Type, value, whole []byte) {
		switch number {
		case requestUseTLS:
			n, _ := protowire.ConsumeVarint(value)
			asked.on = n != 0
		case requestClientCert:
			asked.trustedByClient = content(value)
		case requestCreds:
			_ = fields(content(value), func(number protowire.Number, _ protowire.Type, value, _ []byte) {
				switch number {
				case credsCert:
					asked.cert = content(value)
				case credsKey:
					asked.key = content(value)
				}
			})
		default:
			plain = append(plain, whole...)
		}
	})
	return asked, plain, err
}

func startServer(argv []string, request []byte) (*exec.Cmd, uint64, error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	if err := writeMessage(in, request); err != nil {
		return cmd, 0, err
	}
	in.Close()
	answer, err := readMessage(out)
	if err != nil {
		end(cmd)
		return nil, 0, fmt.Errorf("answer of %s: %w", argv[0], err)
	}
	var port uint64
	err = fields(answer, func(number protowire.Number, _ protowire.Type, value, _ []byte) {
		if number == responsePort {
			port, _ = protowire.ConsumeVarint(value)
		}
	})
	return cmd, port, err
}

func startProxy(dir string, asked tlsRequest, forward uint64) (*exec.Cmd, int, error) {
	listen, err := proxy.FreePort()
	if err != nil {
		return nil, 0, err
	}
	admin, err := proxy.FreePort()
	if err != nil {
		return nil, 0, err
	}
	mode, identity := "off", ""
	if asked.on {
		mode, identity = "server", "identity: { certificate: tls.crt, private_key: tls.key, trust: ca.crt }\n"
		trust := asked.cert
		if len(asked.trustedByClient) > 0 {
			mode, trust = "mutual", asked.trustedByClient
		}
		for name, data := range map[string][]byte{"tls.crt": asked.cert, "tls.key": asked.key, "ca.crt": trust} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				return nil, 0, err
			}
		}
	}
	yaml := fmt.Sprintf("version: 1\ndrain: { window: off }\nadmin: { listen: \"127.0.0.1:%d\" }\n%sinbound:\n  - { listen: \"127.0.0.1:%d\", tls: %s, forward: \"127.0.0.1:%d\" }\n",
		admin, identity, listen, mode, forward)
	file := filepath.Join(dir, "outrigger.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		return nil, 0, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, 0, err
	}
	defer log.Close()
	cmd := exec.Command(os.Getenv("OUTRIGGER"), "run", "-c", file)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	if err := waitReady(fmt.Sprintf("http://127.0.0.1:%d/ready", admin)); err != nil {
		end(cmd)
		text, _ := os.ReadFile(log.Name())
		return nil, 0, fmt.Errorf("%w\n%s", err, text)
	}
	return cmd, listen, nil
}

func waitReady(url string) error {
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		response, err := http.Get(url)
		if err != nil {
			continue
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return nil
		}
	}
	return errors.New("the proxy did not become ready")
}

// end stops a process, with a second signal and then a kill when it lingers.
func end(cmd *exec.Cmd) {
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	for range 40 {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	_ = cmd.Process.Kill()
	<-done
}

func response(port int, cert []byte) []byte {
	out := protowire.AppendTag(nil, responseHost, protowire.BytesType)
	out = protowire.AppendString(out, "127.0.0.1")
	out = protowire.AppendTag(out, responsePort, protowire.VarintType)
	out = protowire.AppendVarint(out, uint64(port))
	if len(cert) > 0 {
		out = protowire.AppendTag(out, responseCert, protowire.BytesType)
		out = protowire.AppendBytes(out, cert)
	}
	return out
}

// fields calls visit for each field of a message, with its value (a length prefix included) and the whole of it.
func fields(message []byte, visit func(number protowire.Number, kind protowire.Type, value, whole []byte)) error {
	for len(message) > 0 {
		number, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		n := protowire.ConsumeFieldValue(number, kind, message[tag:])
		if n < 0 {
			return protowire.ParseError(n)
		}
		visit(number, kind, message[tag:tag+n], message[:tag+n])
		message = message[tag+n:]
	}
	return nil
}

func content(value []byte) []byte {
	data, n := protowire.ConsumeBytes(value)
	if n < 0 {
		return nil
	}
	return data
}

func readMessage(in io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, min(binary.BigEndian.Uint32(length[:]), 1<<20))
	_, err := io.ReadFull(in, message)
	return message, err
}

func writeMessage(out io.Writer, message []byte) error {
	_, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}
