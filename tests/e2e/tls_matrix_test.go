package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// sClient runs openssl s_client and gives all that it says. With something typed, what it reads does not end before it does.
func sClient(t *testing.T, address, typed string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", append([]string{"s_client", "-connect", address}, args...)...)
	if typed != "" {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		defer write.Close()
		if _, err := write.WriteString(typed); err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = read
	}
	out, _ := cmd.CombinedOutput()
	return string(out)
}

// TestScan offers what must not be taken, with OpenSSL's own client at its laxest, and what must be.
func TestScan(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	ca := cert.New(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	target := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	addresses := map[string]string{}
	for kind, pair := range map[string]cert.Pair{"ecdsa": ca.Service(t, "payment"), "rsa": ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), Key: key})} {
		files := cert.Write(t, t.TempDir(), "payment", pair, ca)
		addresses[kind] = proxy.Address(t)
		proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", tls: server, forward: \"%s\" }\n", addresses[kind], target.Address))
	}
	for _, row := range []struct {
		name, kind string
		good       bool
		args       []string
	}{
		{"1.3", "ecdsa", true, []string{"-tls1_3"}},
		{"1.3 RSA", "rsa", true, []string{"-tls1_3"}},
		{"1.3 P-256", "ecdsa", true, []string{"-tls1_3", "-groups", "P-256"}},
		{"1.3 AES-256", "ecdsa", true, []string{"-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384"}},
		{"1.2 ECDHE AES-GCM", "ecdsa", true, []string{"-tls1_2", "-cipher", "ECDHE+AESGCM"}},
		{"1.2 ECDHE ChaCha20", "rsa", true, []string{"-tls1_2", "-cipher", "ECDHE+CHACHA20"}},
		{"1.3 P-521", "ecdsa", false, []string{"-tls1_3", "-groups", "P-521"}},
		{"1.3 FFDHE", "ecdsa", false, []string{"-tls1_3", "-groups", "ffdhe2048"}},
		{"1.3 CCM", "ecdsa", false, []string{"-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"}},
		{"1.1", "rsa", false, []string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}},
		{"1.0", "rsa", false, []string{"-tls1", "-cipher", "ALL:@SECLEVEL=0"}},
		{"1.2 RSA key exchange", "rsa", false, []string{"-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"}},
		{"1.2 CBC", "rsa", false, []string{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0"}},
		{"1.2 CCM", "ecdsa", false, []string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM:@SECLEVEL=0"}},
		{"1.2 DHE", "rsa", false, []string{"-tls1_2", "-cipher", "DHE+AESGCM:@SECLEVEL=0"}},
		{"1.2 no encryption", "rsa", false, []string{"-tls1_2", "-cipher", "NULL:@SECLEVEL=0"}},
		{"1.2 anonymous", "rsa", false, []string{"-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"}},
		{"1.2 PSK", "rsa", false, []string{"-tls1_2", "-psk", "00", "-cipher", "PSK:@SECLEVEL=0"}},
	} {
		out := sClient(t, addresses[row.kind], "", append(row.args, "-alpn", "h2")...)
		if strings.Contains(out, "ALPN protocol: h2") != row.good {
			t.Errorf("%s: expected taken %v, got\n%s", row.name, row.good, out)
		}
	}
	for name, args := range map[string][]string{"none": nil, "http/1.1": {"-alpn", "http/1.1"}, "grpc-exp": {"-alpn", "grpc-exp"}} {
		for _, version := range []string{"-tls1_2", "-tls1_3"} {
			if out := sClient(t, addresses["rsa"], "", append(args, version)...); !strings.Contains(out, "alert no application protocol") {
				t.Errorf("ALPN %s, %s: expected the alert no_application_protocol, got\n%s", name, version, out)
			}
		}
	}
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		out := sClient(t, addresses["rsa"], "", "-alpn", "h2", version, "-comp")
		for _, bad := range []string{"New Session Ticket", "TLS session ticket:", "Early data was accepted"} {
			if strings.Contains(out, bad) {
				t.Errorf("%s: %q in\n%s", version, bad, out)
			}
		}
		if !strings.Contains(out, "Compression: NONE") {
			t.Errorf("%s: expected no compression in\n%s", version, out)
		}
	}
	// Our SETTINGS may come while s_client waits for the answer to its hello; then it ends without having seen the alert.
	refused := false
	for try := 0; try < 10 && !refused; try++ {
		out := sClient(t, addresses["rsa"], "R\n", "-alpn", "h2", "-tls1_2")
		refused = strings.Contains(out, "no renegotiation")
		if n := strings.Count(out, "CN = test leaf\nverify return:1"); n > 1 {
			t.Errorf("%d handshakes on one connection in\n%s", n, out)
		}
	}
	if !refused {
		t.Error("renegotiation was never refused")
	}
}

// TestResumptionCarriesNoIdentity keeps sessions, as a caller may: none is ever resumed, here or at another listener.
func TestResumptionCarriesNoIdentity(t *testing.T) {
	ca := cert.New(t)
	order := ca.Service(t, "order")
	target := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	first, second := proxy.Address(t), proxy.Address(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n  - { listen: \"%s\", forward: \"%[2]s\" }\n", first, target.Address, second))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := ca.ClientTLS(t, &order, "localhost")
		config.MaxVersion, config.ClientSessionCache = version, tls.NewLRUClientSessionCache(8)
		for _, address := range []string{first, first, second} {
			nc, err := tls.Dial("tcp", address, config)
			if err != nil {
				t.Fatal(err)
			}
			_ = nc.SetReadDeadline(time.Now().Add(wire.Patience))
			if _, err := nc.Read(make([]byte, 64)); err != nil { // our SETTINGS; tickets would have come before
				t.Fatal(err)
			}
			if nc.ConnectionState().DidResume {
				t.Errorf("TLS %x: a session was resumed", version)
			}
			nc.Close()
		}
		config.Certificates = nil
		if err := tryTLS(second, config); err == nil {
			t.Errorf("TLS %x: let in without a certificate", version)
		}
	}
}

// san makes the extension with these names as they are.
func san(t *testing.T, names ...asn1.RawValue) pkix.Extension {
	t.Helper()
	value, err := asn1.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value}
}

func uri(text string) asn1.RawValue {
	return asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(text)}
}

// TestRefusedCallers shows a listener every certificate that it must not take; each is counted under its own reason.
func TestRefusedCallers(t *testing.T) {
	ca, other := cert.New(t), cert.New(t)
	dir := t.TempDir()
	files := cert.Write(t, dir, "payment", ca.Service(t, "payment"), ca)
	order := cert.Leaf{URI: cert.ID("order"), DNS: []string{"order.shop"}}
	with := func(change func(*cert.Leaf)) cert.Pair {
		leaf := order
		change(&leaf)
		return ca.Issue(t, leaf)
	}
	template := func(change func(*x509.Certificate)) cert.Pair {
		return with(func(l *cert.Leaf) { l.Change = change })
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	revoked := ca.Issue(t, order)
	if err := os.WriteFile(filepath.Join(dir, "crl.pem"), ca.Revoke(t, time.Now().Add(time.Hour), revoked), 0o600); err != nil {
		t.Fatal(err)
	}
	deep, chain := ca, []byte{}
	for range 5 {
		deep = deep.Below(t)
		chain = append(deep.PEM, chain...)
	}
	long := deep.Issue(t, order)
	long.Cert = append(long.Cert, chain...)
	heavy := ca.Issue(t, order)
	for len(heavy.Cert) < 150_000 {
		heavy.Cert = append(heavy.Cert, other.Service(t, "filler").Cert...)
	}
	id, _ := url.Parse(cert.ID("second"))
	wrong, _ := url.Parse("spiffe://Shop.example/a")
	target := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	listen := proxy.Address(t)
	p := proxy.Start(t, strings.Replace(identity(files), " }", ", revoked: "+filepath.Join(dir, "crl.pem")+" }", 1)+
		fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, target.Address))
	good := ca.Issue(t, order)
	for _, row := range []struct {
		name, reason string
		pair         *cert.Pair
	}{
		{"none", "no_certificate", nil},
		{"expired", "expired", ptr(with(func(l *cert.Leaf) {
			l.NotBefore, l.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
		}))},
		{"not yet valid", "not_yet_valid", ptr(with(func(l *cert.Leaf) { l.NotBefore = time.Now().Add(time.Hour) }))},
		{"self-signed", "untrusted", ptr(cert.SelfSigned(t, order))},
		{"another authority", "untrusted", ptr(other.Issue(t, order))},
		{"for servers only", "wrong_purpose", ptr(with(func(l *cert.Leaf) { l.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))},
		{"for clients only, with a SPIFFE id", "wrong_purpose", ptr(with(func(l *cert.Leaf) { l.Usage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }))},
		{"an authority", "authority", ptr(template(func(c *x509.Certificate) { c.IsCA = true }))},
		{"signs certificates", "authority", ptr(template(func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCRLSign }))},
		{"five between", "too_long", &long},
		{"4,096 names", "too_large", ptr(template(func(c *x509.Certificate) {
			for i := range 4096 {
				c.DNSNames = append(c.DNSNames, fmt.Sprintf("a%d", i))
			}
		}))},
		{"a chain of 100 KiB", "too_large", &heavy},
		{"SHA-1", "weak", ptr(template(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }))},
		{"RSA of 1,024 bits", "weak", ptr(with(func(l *cert.Leaf) { l.Key = weak }))},
		{"revoked", "revoked", &revoked},
		{"NUL in the URI", "bad_name", ptr(template(func(c *x509.Certificate) {
			c.ExtraExtensions = append(c.ExtraExtensions, san(t, uri(cert.ID("order")+"\x00.evil")))
		}))},
		{"two URIs", "bad_identity", ptr(template(func(c *x509.Certificate) { c.URIs = append(c.URIs, id) }))},
		{"no SPIFFE id", "bad_identity", ptr(template(func(c *x509.Certificate) { c.URIs = []*url.URL{wrong} }))},
		{"only a common name", "no_identity", ptr(with(func(l *cert.Leaf) { l.URI, l.DNS = "", nil }))},
	} {
		config := ca.ClientTLS(t, nil, "localhost")
		if row.pair != nil { // send it whatever authorities the server names
			chosen := unread(t, *row.pair)
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &chosen, nil }
		}
		before, _ := p.Metric("outrigger_handshake_failures_total", `peer="caller"`, `reason="`+row.reason+`"`)
		cpu := p.CPU()
		if err := tryTLS(listen, config); err == nil {
			t.Errorf("%s: let in", row.name)
		}
		wantMetric(t, p, before+1, "outrigger_handshake_failures_total", `peer="caller"`, `reason="`+row.reason+`"`)
		if used := p.CPU() - cpu; used > 50*time.Millisecond {
			t.Errorf("%s: the handshake took %v of CPU", row.name, used)
		}
	}
	if all, _ := p.Metric("outrigger_handshake_failures_total", `peer="caller"`); all != 19 {
		t.Errorf("%v failures counted, expected 19", all)
	}
	if n := target.Accepted(); n > 0 {
		t.Errorf("%d connections came through to the service", n)
	}
	wantStatus(t, wire.Dial(t, listen, ca.ClientTLS(t, &good, "localhost")).Call(1, nil, wire.Request(echoPath)...), "0")
}

// unread is a pair that Go has not looked into, as it takes less than it can be made to send.
func unread(t *testing.T, pair cert.Pair) (out tls.Certificate) {
	t.Helper()
	for rest := pair.Cert; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		out.Certificate = append(out.Certificate, block.Bytes)
	}
	der, _ := pem.Decode(pair.Key)
	key, err := x509.ParsePKCS8PrivateKey(der.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	out.PrivateKey = key
	return out
}

func ptr[T any](v T) *T { return &v }

// TestRefusedEndpoints has endpoints that prove to be somebody else: counted, and left alone for a while.
func TestRefusedEndpoints(t *testing.T) {
	ca, dir := cert.New(t), t.TempDir()
	order := cert.Write(t, dir, "order", ca.Service(t, "order"), ca)
	expired := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	for _, row := range []struct {
		name, peer, reason string
		pair               cert.Pair
	}{
		{"another identity", `identity: "` + cert.ID("payment") + `"`, "wrong_peer", ca.Service(t, "ledger")},
		{"another name", `dns: payment.shop`, "wrong_peer", ca.Service(t, "ledger")},
		{"no identity", `identity: "` + cert.ID("payment") + `"`, "wrong_peer", ca.Issue(t, cert.Leaf{DNS: []string{"payment.shop"}})},
		{"expired", `identity: "` + cert.ID("payment") + `"`, "expired", expired},
		{"another authority", `identity: "` + cert.ID("payment") + `"`, "untrusted", cert.New(t).Service(t, "payment")},
	} {
		t.Run(row.name, func(t *testing.T) {
			server := wire.Listen(t, "127.0.0.1:0", ca.ServerTLS(t, row.pair), wire.Behaviour{OnFrame: wire.Echo})
			listen := proxy.Address(t)
			p := proxy.Start(t, identity(order)+outboundYAML(listen, []string{server.Address}, "tls: mutual, peer: { "+row.peer+" }", ""))
			client := wire.Dial(t, listen, nil)
			for i := range 3 {
				wantStatus(t, client.Call(uint32(2*i+1), []byte("secret"), wire.Request(echoPath)...), "14")
			}
			failures, _ := p.Metric("outrigger_handshake_failures_total", `peer="endpoint"`, `reason="`+row.reason+`"`)
			connects, _ := p.Metric("outrigger_upstream_connects_total")
			if failures != connects || failures == 0 || failures > 2 {
				t.Errorf("%v connections, %v failures with the reason: expected the same, and no more than two for three calls at once", connects, failures)
			}
		})
	}
}

// TestIdentities gives two listeners and a service identities of their own.
func TestIdentities(t *testing.T) {
	one, two := cert.New(t), cert.New(t)
	first := cert.Write(t, t.TempDir(), "payment", one.Service(t, "payment"), one)
	pair := two.Service(t, "partner")
	second := cert.Write(t, t.TempDir(), "partner", pair, two)
	own := strings.TrimSpace(identity(second))
	target := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	config := two.ServerTLS(t, two.Service(t, "far"))
	far := wire.Listen(t, "127.0.0.1:0", config, wire.Behaviour{OnFrame: wire.Echo})
	a, b, entry := proxy.Address(t), proxy.Address(t), proxy.Address(t)
	proxy.Start(t, identity(first)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n  - { listen: \"%s\", forward: \"%[2]s\", %[4]s }\n", a, target.Address, b, own)+
		outboundYAML(entry, []string{far.Address}, fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }, %s", cert.ID("far"), own), ""))
	order, guest := one.Service(t, "order"), two.Service(t, "guest")
	if err := tryTLS(a, one.ClientTLS(t, &order, "localhost")); err != nil {
		t.Errorf("its own caller was refused: %v", err)
	}
	if err := tryTLS(b, two.ClientTLS(t, &guest, "localhost")); err != nil {
		t.Errorf("its own caller was refused: %v", err)
	}
	if !bytes.Equal(shown(t, b, two.ClientTLS(t, &guest, "localhost")), pair.DER) {
		t.Error("the listener shows another certificate than its own")
	}
	for address, pair := range map[string]*cert.Pair{a: &guest, b: &order} {
		config := one.ClientTLS(t, pair, "localhost")
		config.InsecureSkipVerify = true
		if err := tryTLS(address, config); err == nil {
			t.Errorf("%s took a caller of the other one", address)
		}
	}
	wantStatus(t, wire.Dial(t, entry, nil).Call(1, nil, wire.Request(echoPath)...), "0")
}

// TestNoStartWithBadCertificates wants one clear line and no listener.
func TestNoStartWithBadCertificates(t *testing.T) {
	ca := cert.New(t)
	pair := ca.Service(t, "payment")
	expired := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	for _, row := range []struct {
		name, says string
		change     func(f cert.Files) error
	}{
		{"no certificate", "No such file", func(f cert.Files) error { return os.Remove(f.Cert) }},
		{"empty key", "empty", func(f cert.Files) error { return os.WriteFile(f.Key, nil, 0o600) }},
		{"another key", "does not match", func(f cert.Files) error { return os.WriteFile(f.Key, ca.Service(t, "x").Key, 0o600) }},
		{"no root", "holds no PEM certificate", func(f cert.Files) error { return os.WriteFile(f.Trust, []byte("x\n"), 0o600) }},
		{"expired", "certificate expired on", func(f cert.Files) error {
			_ = os.WriteFile(f.Key, expired.Key, 0o600)
			return os.WriteFile(f.Cert, expired.Cert, 0o600)
		}},
	} {
		files := cert.Write(t, t.TempDir(), "payment", pair, ca)
		if err := row.change(files); err != nil {
			t.Fatal(err)
		}
		p := proxy.StartWith(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\n", proxy.Address(t)), proxy.Options{NoWait: true})
		if code := p.WaitExit(wire.Patience); code != 1 {
			t.Errorf("%s: exit code %d", row.name, code)
		}
		if !strings.Contains(p.Log(), row.says) || !strings.Contains(p.Log(), "outrigger.yaml:2:11: identity: ") {
			t.Errorf("%s: said %s", row.name, p.Log())
		}
	}
}
