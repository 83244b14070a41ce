package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// tryTLS shakes hands and waits for the first frame: with TLS 1.3 a refused certificate shows only then.
func tryTLS(address string, config *tls.Config) error {
	nc, err := wire.DialRaw(address)
	if err != nil {
		return err
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(wire.Patience))
	secure := tls.Client(nc, config)
	if err := secure.Handshake(); err != nil {
		return err
	}
	if secure.ConnectionState().NegotiatedProtocol != "h2" {
		return errors.New("h2 was not negotiated")
	}
	framer := http2.NewFramer(secure, secure)
	if _, err := secure.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	_, err = framer.ReadFrame()
	return err
}

// startInboundTLS starts a listener with TLS in front of an echo, and gives its address and authority.
func startInboundTLS(t *testing.T, mode string) (string, *cert.Authority, *wire.Server) {
	t.Helper()
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: %s, forward: \"%s\" }\n", listen, mode, endpoint.Address))
	return listen, ca, endpoint
}

func TestClientCertificates(t *testing.T) {
	address, ca, _ := startInboundTLS(t, "mutual")
	other := cert.New(t)
	order := cert.Leaf{URI: cert.ID("order")}
	with := func(change func(*cert.Leaf)) cert.Pair {
		leaf := order
		change(&leaf)
		return ca.Issue(t, leaf)
	}
	good := ca.Issue(t, order)
	if err := tryTLS(address, ca.ClientTLS(t, &good, "localhost")); err != nil {
		t.Fatalf("a good certificate was refused: %v", err)
	}
	expired := with(func(l *cert.Leaf) {
		l.NotBefore, l.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	early := with(func(l *cert.Leaf) { l.NotBefore = time.Now().Add(time.Hour) })
	serverOnly := with(func(l *cert.Leaf) { l.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	self, strange := cert.SelfSigned(t, order), other.Issue(t, order)
	for name, pair := range map[string]*cert.Pair{
		"none": nil, "expired": &expired, "not yet valid": &early, "for servers only": &serverOnly, "self-signed": &self, "of another authority": &strange,
	} {
		config := ca.ClientTLS(t, pair, "localhost")
		if pair != nil { // send it whatever authorities the server names
			chosen := config.Certificates[0]
			config.Certificates = nil
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &chosen, nil }
		}
		if err := tryTLS(address, config); err == nil {
			t.Errorf("certificate %s: accepted", name)
		}
	}
	wantStatus(t, wire.Dial(t, address, ca.ClientTLS(t, &good, "localhost")).Call(1, nil, wire.Request(echoPath)...), "0")
}

func TestServerModeAsksForNoCertificate(t *testing.T) {
	address, ca, _ := startInboundTLS(t, "server")
	client := wire.Dial(t, address, ca.ClientTLS(t, nil, "payment.shop"))
	wantStatus(t, client.Call(1, []byte("x"), wire.Request(echoPath)...), "0")
}

func TestTLSVersionsAndCiphers(t *testing.T) {
	address, ca, _ := startInboundTLS(t, "server")
	base := func(change func(*tls.Config)) *tls.Config {
		config := ca.ClientTLS(t, nil, "localhost")
		change(config)
		return config
	}
	for name, config := range map[string]*tls.Config{
		"1.3": base(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 }),
		"1.2 AES-GCM": base(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
		}),
		"1.2 ChaCha": base(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}
		}),
	} {
		if err := tryTLS(address, config); err != nil {
			t.Errorf("%s: refused: %v", name, err)
		}
	}
	for name, config := range map[string]*tls.Config{
		"1.0": base(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 }),
		"1.1": base(func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }),
		"1.2 CBC": base(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}),
		"no ALPN":  base(func(c *tls.Config) { c.NextProtos = nil }),
		"http/1.1": base(func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }),
	} {
		if err := tryTLS(address, config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPeerIdentity has endpoints with certificates of the right authority, but not always of the right service: nothing of
// a request may reach the wrong one.
func TestPeerIdentity(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	expired := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	clientOnly := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), Usage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, c := range []struct {
		name, peer string
		pair       cert.Pair
		status     string
	}{
		{"its identity", `identity: "` + cert.ID("payment") + `"`, ca.Service(t, "payment"), "0"},
		{"its DNS name", `dns: payment.shop`, ca.Service(t, "payment"), "0"},
		{"another identity", `identity: "` + cert.ID("payment") + `"`, ca.Service(t, "ledger"), "14"},
		{"a longer identity", `identity: "` + cert.ID("payment") + `"`, ca.Service(t, "payment2"), "14"},
		{"no key usage stated", `identity: "` + cert.ID("payment") + `"`, ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), AnyUsage: true}), "0"},
		{"another DNS name", `dns: payment.shop`, ca.Service(t, "ledger"), "14"},
		{"expired", `identity: "` + cert.ID("payment") + `"`, expired, "14"},
		{"for clients only", `identity: "` + cert.ID("payment") + `"`, clientOnly, "14"},
		{"another authority", `identity: "` + cert.ID("payment") + `"`, cert.New(t).Service(t, "payment"), "14"},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint := wire.Listen(t, "127.0.0.1:0", ca.ServerTLS(t, c.pair), wire.Behaviour{OnFrame: wire.Echo})
			listen := proxy.Address(t)
			proxy.Start(t, identity(order)+outboundYAML(listen, []string{endpoint.Address}, "tls: mutual, peer: { "+c.peer+" }", ""))
			answer := wire.Dial(t, listen, nil).Call(1, []byte("secret"), wire.Request(echoPath)...)
			if c.status == "0" {
				wantStatus(t, answer, "0")
				return
			}
			wantLocal(t, answer, c.status, "NO_ENDPOINT", "UPSTREAM_CONNECT")
			if n := len(endpoint.Requests()); n != 0 {
				t.Errorf("%d requests reached the wrong endpoint", n)
			}
		})
	}
}

// TestServerNameAndAuthority looks at what the endpoint is told of names.
func TestServerNameAndAuthority(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	for _, c := range []struct{ service, sni, authority string }{
		{"peer: { dns: payment.shop }", "payment.shop", "test.example"},
		{"peer: { dns: payment.shop }, authority: keep", "payment.shop", "test.example"},
		{"peer: { dns: payment.shop }, authority: service", "payment.shop", "payment.shop"},
		{"peer: { dns: payment.shop }, authority: other.example", "payment.shop", "other.example"},
	} {
		var sni string
		config := ca.ServerTLS(t, ca.Service(t, "payment"))
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			sni = hello.ServerName
			return nil, nil
		}
		endpoint := wire.Listen(t, "127.0.0.1:0", config, wire.Behaviour{OnFrame: wire.Echo})
		listen := proxy.Address(t)
		proxy.Start(t, identity(order)+outboundYAML(listen, []string{endpoint.Address}, "tls: mutual, "+c.service, ""))
		wantStatus(t, wire.Dial(t, listen, nil).Call(1, nil, wire.Request(echoPath)...), "0")
		if sni != c.sni {
			t.Errorf("%s: server name %q, expected %q", c.service, sni, c.sni)
		}
		if got := endpoint.Requests()[0].Get(":authority"); got != c.authority {
			t.Errorf("%s: :authority %q, expected %q", c.service, got, c.authority)
		}
	}
}

// TestHandshakeDeadline leaves handshakes and prefaces unfinished.
func TestHandshakeDeadline(t *testing.T) {
	t.Parallel()
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	plain, secure := proxy.Address(t), proxy.Address(t)
	proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n  - { listen: \"%s\", tls: server, forward: \"%[2]s\" }\n",
		plain, endpoint.Address, secure))
	type waiter struct {
		name string
		nc   net.Conn
	}
	var waiters []waiter
	dial := func(name, address, say string) {
		nc, err := wire.DialRaw(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nc.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		waiters = append(waiters, waiter{name, nc})
	}
	start := time.Now()
	dial("silent, clear", plain, "")
	dial("half a preface", plain, http2.ClientPreface[:10])
	dial("silent, TLS", secure, "")
	dial("half a ClientHello", secure, "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03")
	shaken, err := tls.Dial("tcp", secure, ca.ClientTLS(t, nil, "localhost"))
	if err != nil {
		t.Fatal(err)
	}
	waiters = append(waiters, waiter{"TLS, then silent", shaken})
	var wait sync.WaitGroup
	for _, w := range waiters {
		wait.Go(func() {
			_, ok := untilClosed(w.nc, 8*time.Second)
			if took := time.Since(start); !ok || took < 4*time.Second || took > 7*time.Second {
				t.Errorf("%s: closed %v after %v, expected about 5 s", w.name, ok, took)
			}
			w.nc.Close()
		})
	}
	wait.Wait()
	wantServes(t, plain)
}

// TestServerNames looks at what a TLS endpoint is asked for: the name of the first call's authority, and nothing when that
// is an IP address (RFC 6066 section 3).
func TestServerNames(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	files := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	for authority, expected := range map[string]string{
		"payment.shop:443": "payment.shop", "10.1.2.3:443": "", "10.1.2.3": "", "[2001:db8::1]:443": "", "[::1]": "",
	} {
		t.Run(authority, func(t *testing.T) {
			names := make(chan string, 16)
			config := ca.ServerTLS(t, ca.Service(t, "payment"))
			config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
				names <- hello.ServerName
				return nil, nil
			}
			endpoint := wire.Listen(t, "127.0.0.1:0", config, wire.Behaviour{OnFrame: wire.Echo})
			entry := proxy.Address(t)
			proxy.Start(t, identity(files)+outboundYAML(entry, []string{endpoint.Address},
				fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", cert.ID("payment")), ""))
			fields := wire.Request(echoPath)
			for i := range fields {
				if fields[i].Name == ":authority" {
					fields[i].Value = authority
				}
			}
			wantStatus(t, wire.Dial(t, entry, nil).Call(1, nil, fields...), "0")
			if name := <-names; name != expected {
				t.Errorf("the endpoint was asked for %q, expected %q", name, expected)
			}
		})
	}
}

// TestAddressKinds listens and forwards on IPv4, IPv6 and unix sockets.
func TestAddressKinds(t *testing.T) {
	dir, err := os.MkdirTemp("", "u") // short: a socket path has 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	where := func(kind, name string) string {
		switch kind {
		case "IPv4":
			return proxy.Address(t)
		case "IPv6":
			return fmt.Sprintf("[::1]:%d", proxy.Port(t))
		default:
			return "unix:" + dir + "/" + name
		}
	}
	for i, listenKind := range []string{"IPv4", "IPv6", "unix"} {
		for j, forwardKind := range []string{"IPv4", "IPv6", "unix"} {
			t.Run(listenKind+" to "+forwardKind, func(t *testing.T) {
				endpoint := wire.Listen(t, where(forwardKind, fmt.Sprintf("e%d%d", i, j)), nil, wire.Behaviour{OnFrame: wire.Echo})
				in, out := where(listenKind, fmt.Sprintf("i%d%d", i, j)), where(listenKind, fmt.Sprintf("o%d%d", i, j))
				proxy.Start(t, fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n", in, endpoint.Address)+
					outboundYAML(out, []string{endpoint.Address}, "", ""))
				wantServes(t, in)
				wantServes(t, out)
				if path, ok := strings.CutPrefix(out, "unix:"); ok {
					info, err := os.Stat(path)
					if err != nil || info.Mode().Perm() != 0o600 {
						t.Errorf("outbound socket: %v, %v, expected mode 0600", info.Mode(), err)
					}
				}
			})
		}
	}
}
