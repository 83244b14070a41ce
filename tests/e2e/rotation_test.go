package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

// volume is a folder as a Kubernetes volume mounts it: files are links into ..data, which is a link that is swapped.
type volume struct {
	t    *testing.T
	dir  string
	next int
}

func newVolume(t *testing.T, content map[string][]byte) *volume {
	v := &volume{t: t, dir: t.TempDir()}
	v.swap(content)
	for name := range content {
		v.must(os.Symlink("..data/"+name, v.path(name)))
	}
	return v
}

func (v *volume) path(name string) string { return filepath.Join(v.dir, name) }

func (v *volume) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

// swap puts new content into force in one step.
func (v *volume) swap(content map[string][]byte) {
	v.t.Helper()
	old, _ := os.Readlink(v.path("..data"))
	v.next++
	name := fmt.Sprintf("..%d", v.next)
	v.must(os.Mkdir(v.path(name), 0o755))
	for file, data := range content {
		v.must(os.WriteFile(filepath.Join(v.dir, name, file), data, 0o600))
	}
	v.must(os.Symlink(name, v.path("..tmp")))
	v.must(os.Rename(v.path("..tmp"), v.path("..data")))
	if old != "" {
		v.must(os.RemoveAll(v.path(old)))
	}
}

func (v *volume) identity(more string) string {
	return fmt.Sprintf("identity: { certificate: %s, private_key: %s, trust: %s%s }\n", v.path("tls.crt"), v.path("tls.key"), v.path("ca.crt"), more)
}

func content(pair cert.Pair, roots ...*cert.Authority) map[string][]byte {
	var trust []byte
	for _, root := range roots {
		trust = append(trust, root.PEM...)
	}
	return map[string][]byte{"tls.crt": pair.Cert, "tls.key": pair.Key, "ca.crt": trust}
}

// shown is the leaf that a listener shows now.
func shown(t *testing.T, address string, config *tls.Config) []byte {
	t.Helper()
	config = config.Clone()
	config.InsecureSkipVerify = true
	nc, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	return nc.ConnectionState().PeerCertificates[0].Raw
}

func wantMetric(t *testing.T, p *proxy.Proxy, value float64, name string, labels ...string) {
	t.Helper()
	p.Eventually(wire.Patience, fmt.Sprintf("%s %v is %v", name, labels, value), func() bool {
		got, ok := p.Metric(name, labels...)
		return ok && got == value
	})
}

// TestRotationKeepsWhatIsGood gives a running listener files in every bad state; the old pair stays, whole.
func TestRotationKeepsWhatIsGood(t *testing.T) {
	ca := cert.New(t)
	first, second := ca.Service(t, "payment"), ca.Service(t, "payment")
	v := newVolume(t, content(first, ca))
	listen := proxy.Address(t)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p := proxy.Start(t, v.identity("")+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, endpoint.Address))
	order := ca.Service(t, "order")
	config := ca.ClientTLS(t, &order, "localhost")
	failures := 0.0
	for _, bad := range []struct {
		name, part string
		change     func(map[string][]byte)
	}{
		{"mismatched", "pair", func(m map[string][]byte) { m["tls.key"] = second.Key }},
		{"half a certificate", "pair", func(m map[string][]byte) { m["tls.crt"] = second.Cert[:len(second.Cert)/2]; m["tls.key"] = second.Key }},
		{"half a key", "pair", func(m map[string][]byte) { m["tls.crt"] = second.Cert; m["tls.key"] = second.Key[:len(second.Key)/2] }},
		{"empty certificate", "pair", func(m map[string][]byte) { m["tls.crt"] = nil }},
		{"empty key", "pair", func(m map[string][]byte) { m["tls.key"] = nil }},
		{"no key", "pair", func(m map[string][]byte) { delete(m, "tls.key") }},
		{"text", "trust", func(m map[string][]byte) { m["ca.crt"] = []byte("nothing\n") }},
		{"empty roots", "trust", func(m map[string][]byte) { m["ca.crt"] = nil }},
	} {
		m := content(first, ca)
		bad.change(m)
		before, _ := p.Metric("outrigger_identity_rotation_failures_total", `part="`+bad.part+`"`)
		v.swap(m)
		wantMetric(t, p, before+1, "outrigger_identity_rotation_failures_total", `part="`+bad.part+`"`)
		if got := shown(t, listen, config); !bytes.Equal(got, first.DER) {
			t.Errorf("%s: another certificate is shown", bad.name)
		}
		failures++
	}
	if got := strings.Count(p.Log(), `"identity_refused"`); got != int(failures) {
		t.Errorf("%d lines say that a file was refused, expected %v", got, failures)
	}
	if _, page := p.Get("/config"); !strings.Contains(page, `"refused": true`) {
		t.Errorf("/config does not tell of the refused file: %s", page)
	}
	wantStatus(t, wire.Dial(t, listen, config).Call(1, nil, wire.Request(echoPath)...), "0")
	before, _ := p.Metric("outrigger_identity_rotations_total", `part="pair"`)
	v.swap(content(second, ca))
	start := time.Now()
	p.Eventually(wire.Patience, "the new certificate is shown", func() bool { return bytes.Equal(shown(t, listen, config), second.DER) })
	if took := time.Since(start); took > time.Second {
		t.Errorf("the new certificate was shown after %v", took)
	}
	wantMetric(t, p, before+1, "outrigger_identity_rotations_total", `part="pair"`)
	leaf, _ := x509.ParseCertificate(second.DER)
	wantMetric(t, p, float64(leaf.NotAfter.Unix()), "outrigger_identity_end_timestamp_seconds", `part="pair"`)
	if reloads, _ := p.Metric("outrigger_config_reloads_total"); reloads != 0 {
		t.Errorf("%v reloads of the configuration, expected none", reloads)
	}
}

// TestRotationWithAnUnreadableKey runs as nobody: a key that belongs to root cannot be read.
func TestRotationWithAnUnreadableKey(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	ca := cert.New(t)
	pair := ca.Service(t, "payment")
	dir, err := os.MkdirTemp("", "owner")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	files := cert.Write(t, dir, "payment", pair, ca)
	for _, path := range []string{dir, files.Cert, files.Key, files.Trust} {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	listen, admin := proxy.Address(t), proxy.Address(t)
	config := filepath.Join(dir, "outrigger.yaml")
	yaml := "version: 1\n" + identity(files) + fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\nadmin: { listen: \"%s\" }\n", listen, admin)
	if err := os.WriteFile(config, []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "outrigger")
	if out, err := exec.Command("cp", proxy.Binary(t), binary).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(binary, "run", "-c", config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	}()
	p := &proxy.Proxy{Admin: admin}
	eventually(t, "it is ready", func() bool { status, _ := p.Get("/ready"); return status == 200 })
	next := files.Key + ".next"
	if err := os.WriteFile(next, ca.Service(t, "payment").Key, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, files.Key); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the failure is counted", func() bool {
		got, _ := p.Metric("outrigger_identity_rotation_failures_total", `part="pair"`)
		return got == 1
	})
	order := ca.Service(t, "order")
	if !bytes.Equal(shown(t, listen, ca.ClientTLS(t, &order, "localhost")), pair.DER) {
		t.Error("another certificate is shown")
	}
}

// TestRotationStorm writes into the folder of the certificates without an end: a rotation comes through all the same.
func TestRotationStorm(t *testing.T) {
	ca := cert.New(t)
	first, second := ca.Service(t, "payment"), ca.Service(t, "payment")
	v := newVolume(t, content(first, ca))
	listen := proxy.Address(t)
	p := proxy.Start(t, v.identity("")+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\n", listen))
	order := ca.Service(t, "order")
	config := ca.ClientTLS(t, &order, "localhost")
	stop := make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				_ = os.WriteFile(v.path("noise"), []byte("x"), 0o600)
			}
		}
	})
	before, start := p.CPU(), time.Now()
	v.swap(content(second, ca))
	p.Eventually(wire.Patience, "the new certificate is shown", func() bool { return bytes.Equal(shown(t, listen, config), second.DER) })
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the rotation took %v", took)
	}
	if share := float64(p.CPU()-before) / float64(time.Since(start)); share > 0.5 {
		t.Errorf("the storm costs %.0f %% of a core", 100*share)
	}
	close(stop)
	wait.Wait()
}

// live opens a connection to a listener and calls once.
func live(t *testing.T, address string, config *tls.Config) *wire.Conn {
	t.Helper()
	c := wire.Dial(t, address, config)
	wantStatus(t, c.Call(1, nil, wire.Request(echoPath)...), "0")
	return c
}

func wantClosed(t *testing.T, c *wire.Conn) {
	t.Helper()
	if _, ok := c.WaitClosed(wire.Patience); !ok {
		t.Fatal("the connection stays open")
	}
}

// TestRevokedPeersAreDrained revokes one of two callers whose connections are open, and lets the list run out for others.
func TestRevokedPeersAreDrained(t *testing.T) {
	ca := cert.New(t)
	good, bad := ca.Service(t, "order"), ca.Service(t, "thief")
	m := content(ca.Service(t, "payment"), ca)
	m["crl.pem"] = ca.Revoke(t, time.Now().Add(time.Hour))
	v := newVolume(t, m)
	listen := proxy.Address(t)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p := proxy.Start(t, v.identity(", revoked: "+v.path("crl.pem"))+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, endpoint.Address))
	honest, thief := live(t, listen, ca.ClientTLS(t, &good, "localhost")), live(t, listen, ca.ClientTLS(t, &bad, "localhost"))
	m["crl.pem"] = ca.Revoke(t, time.Now().Add(time.Hour), bad)
	v.swap(m)
	wantClosed(t, thief)
	wantMetric(t, p, 1, "outrigger_peer_drains_total", `cause="distrusted"`)
	wantStatus(t, honest.Call(3, nil, wire.Request(echoPath)...), "0")
	if err := tryTLS(listen, ca.ClientTLS(t, &bad, "localhost")); err == nil {
		t.Error("a revoked caller was let in")
	}
	wantMetric(t, p, 1, "outrigger_handshake_failures_total", `peer="caller"`, `reason="revoked"`)
	// A list that has ended closes the door, but cuts nobody off who is known.
	m["crl.pem"] = ca.Revoke(t, time.Now().Add(-time.Hour))
	v.swap(m)
	wantMetric(t, p, 2, "outrigger_identity_rotations_total", `part="revoked"`)
	if err := tryTLS(listen, ca.ClientTLS(t, &good, "localhost")); err == nil {
		t.Error("a caller was let in although nobody knows who is revoked")
	}
	wantMetric(t, p, 1, "outrigger_handshake_failures_total", `peer="caller"`, `reason="revocation_unknown"`)
	wantStatus(t, honest.Call(5, nil, wire.Request(echoPath)...), "0")
}

// TestDroppedRoots takes a root away that callers and endpoints were verified by.
func TestDroppedRoots(t *testing.T) {
	old, fresh := cert.New(t), cert.New(t)
	fromOld, fromNew := old.Service(t, "order"), fresh.Service(t, "order")
	pair := old.Service(t, "payment")
	v := newVolume(t, content(pair, old, fresh))
	listen := proxy.Address(t)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p := proxy.Start(t, v.identity("")+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, endpoint.Address))
	left, stays := live(t, listen, old.ClientTLS(t, &fromOld, "localhost")), live(t, listen, old.ClientTLS(t, &fromNew, "localhost"))
	v.swap(content(pair, fresh))
	wantClosed(t, left)
	wantStatus(t, stays.Call(3, nil, wire.Request(echoPath)...), "0")
	wantMetric(t, p, 1, "outrigger_peer_drains_total", `cause="distrusted"`)
	if err := tryTLS(listen, old.ClientTLS(t, &fromOld, "localhost")); err == nil {
		t.Error("a caller of the dropped root was let in")
	}
	wantMetric(t, p, 1, "outrigger_handshake_failures_total", `peer="caller"`, `reason="untrusted"`)
}

// TestPeersThatEnd connects with certificates of a few seconds, on both sides: connections end in order before.
func TestPeersThatEnd(t *testing.T) {
	t.Parallel()
	ca, dir := cert.New(t), t.TempDir()
	files := cert.Write(t, dir, "payment", ca.Service(t, "payment"), ca)
	listen := proxy.Address(t)
	target := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	in := proxy.Start(t, identity(files)+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, target.Address))
	end := time.Now().Add(4 * time.Second).Truncate(time.Second)
	brief := ca.Issue(t, cert.Leaf{URI: cert.ID("order"), DNS: []string{"localhost"}, NotAfter: end})
	c := live(t, listen, ca.ClientTLS(t, &brief, "localhost"))
	wantClosed(t, c)
	if at := time.Now(); at.After(end) || !slices.ContainsFunc(c.Frames(), func(f wire.Frame) bool { return f.Type == http2.FrameGoAway }) {
		t.Errorf("closed at %v, the certificate ends at %v, or without GOAWAY", at, end)
	}
	wantMetric(t, in, 1, "outrigger_peer_drains_total", `cause="ending"`)

	// The endpoint's certificate ends; calls never fail, as another connection shows the next one.
	var current atomic.Pointer[tls.Certificate]
	set := func(left time.Duration) {
		pair := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), NotAfter: time.Now().Add(left)})
		certificate, err := tls.X509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		current.Store(&certificate)
	}
	set(4 * time.Second)
	config := ca.ServerTLS(t, ca.Service(t, "payment"))
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return current.Load(), nil }
	config.Certificates = nil
	server := wire.Listen(t, "127.0.0.1:0", config, wire.Behaviour{OnFrame: wire.Echo})
	entry := proxy.Address(t)
	out := proxy.Start(t, identity(files)+outboundYAML(entry, []string{server.Address}, fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", cert.ID("payment")), ""))
	client := wire.Dial(t, entry, nil)
	wantStatus(t, client.Call(1, nil, wire.Request(echoPath)...), "0")
	set(time.Hour)
	stream := uint32(3)
	out.Eventually(wire.Patience, "the connection was replaced", func() bool {
		wantStatus(t, client.Call(stream, nil, wire.Request(echoPath)...), "0")
		stream += 2
		drained, _ := out.Metric("outrigger_peer_drains_total", `cause="ending"`)
		return drained == 1
	})
	wantStatus(t, client.Call(stream, nil, wire.Request(echoPath)...), "0")
}

// TestRotationUnderLoad swaps leaves and roots of two sidecars while calls run between them; none fails.
func TestRotationUnderLoad(t *testing.T) {
	leaves, roots, rate := 20, 3, 300
	if os.Getenv("E2E_FULL") != "" {
		leaves, roots, rate = 1000, 50, 1000
	}
	target := proxy.Address(t)
	server, err := endpoint.Start(endpoint.Options{Listen: target})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ca := cert.New(t)
	payment, order := newVolume(t, content(ca.Service(t, "payment"), ca)), newVolume(t, content(ca.Service(t, "order"), ca))
	between, entry := proxy.Address(t), proxy.Address(t)
	in := proxy.Start(t, payment.identity("")+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", between, target))
	out := proxy.Start(t, order.identity("")+outboundYAML(entry, []string{between}, fmt.Sprintf("tls: mutual, peer: { identity: \"%s\" }", cert.ID("payment")), ""))
	client := caller.New(entry, 4)
	defer client.Close()
	stop, failed, calls := make(chan struct{}), atomic.Int64{}, atomic.Int64{}
	var first atomic.Value
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			tick := time.NewTicker(time.Second * 10 / time.Duration(rate))
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
				}
				answer := client.Do(caller.Call{Path: "/test.Echo/Unary", Timeout: 5 * time.Second})
				calls.Add(1)
				if answer.Status != 0 && failed.Add(1) == 1 {
					first.Store(fmt.Sprintf("%+v", answer))
				}
			}
		})
	}
	rotated := func(p *proxy.Proxy, part string) float64 {
		n, _ := p.Metric("outrigger_identity_rotations_total", `part="`+part+`"`)
		return n
	}
	var early, late int
	for i := range leaves {
		if i%max(leaves/roots, 1) == 0 { // both trust old and new, then the leaves move, then the old root goes
			next := cert.New(t)
			for _, step := range []struct {
				issuer *cert.Authority
				trust  []*cert.Authority
				part   string
			}{{ca, []*cert.Authority{ca, next}, "trust"}, {next, []*cert.Authority{ca, next}, "pair"}, {next, []*cert.Authority{next}, "trust"}} {
				a, b := rotated(in, step.part), rotated(out, step.part)
				payment.swap(content(step.issuer.Service(t, "payment"), step.trust...))
				order.swap(content(step.issuer.Service(t, "order"), step.trust...))
				in.Eventually(wire.Patience, "it is in force", func() bool { return rotated(in, step.part) > a && rotated(out, step.part) > b })
			}
			ca = next
		}
		a, b := rotated(in, "pair"), rotated(out, "pair")
		payment.swap(content(ca.Service(t, "payment"), ca))
		order.swap(content(ca.Service(t, "order"), ca))
		in.Eventually(wire.Patience, "the leaf is in force", func() bool { return rotated(in, "pair") > a && rotated(out, "pair") > b })
		if i == leaves/5 {
			early = in.ResidentKiB() + out.ResidentKiB()
		}
	}
	late = in.ResidentKiB() + out.ResidentKiB()
	close(stop)
	wait.Wait()
	t.Logf("%d calls, %d failed; %d leaves, %d roots; resident memory of both %d KiB, at the end %d KiB", calls.Load(), failed.Load(), leaves, roots, early, late)
	if failed.Load() > 0 {
		t.Errorf("the first failure: %v", first.Load())
	}
	if late-early > 2048 {
		t.Errorf("memory grew by %d KiB in two sidecars", late-early)
	}
	for _, p := range []*proxy.Proxy{in, out} {
		if n, _ := p.Metric("outrigger_identity_rotation_failures_total"); n > 0 {
			t.Errorf("%v rotations failed", n)
		}
	}
}

// TestOldKeysAreWiped looks through the whole memory of the worker for a key that was replaced.
func TestOldKeysAreWiped(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may look into another process")
	}
	ca := cert.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first := ca.Issue(t, cert.Leaf{URI: cert.ID("payment"), DNS: []string{"localhost"}, Key: key})
	v := newVolume(t, content(first, ca))
	listen := proxy.Address(t)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo})
	p := proxy.Start(t, v.identity("")+fmt.Sprintf("inbound:\n  - { listen: \"%s\", forward: \"%s\" }\n", listen, endpoint.Address))
	order := ca.Service(t, "order")
	client := live(t, listen, ca.ClientTLS(t, &order, "localhost")) // stays open over the rotation
	der, _ := pem.Decode(first.Key)
	scalar := key.D.FillBytes(make([]byte, 32))
	backwards := slices.Clone(scalar)
	slices.Reverse(backwards)
	needles := map[string][]byte{"PEM": first.Key[40:90], "DER": der.Bytes[20:60], "scalar": scalar, "scalar in words": backwards}
	worker := p.Workers()[0]
	if found := scan(t, worker, needles); len(found) == 0 {
		t.Fatal("the key in use was not found: the search is blind")
	}
	v.swap(content(ca.Service(t, "payment"), ca))
	wantMetric(t, p, 1, "outrigger_identity_rotations_total", `part="pair"`)
	start := time.Now()
	var found []string
	for {
		if found = scan(t, worker, needles); len(found) == 0 || time.Since(start) > time.Second {
			break
		}
	}
	if len(found) > 0 {
		t.Errorf("still in memory: %v", found)
	}
	wantStatus(t, client.Call(3, nil, wire.Request(echoPath)...), "0")
	limits, _ := os.ReadFile(fmt.Sprintf("/proc/%d/limits", worker))
	if !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max core file size 0 0") {
		t.Errorf("core dumps are on: %s", limits)
	}
}

// scan tells which needles the writable memory of a process holds.
func scan(t *testing.T, pid int, needles map[string][]byte) (found []string) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<28 { // shadow memory of sanitizers
			continue
		}
		data := make([]byte, to-from)
		n, _ := mem.ReadAt(data, from)
		for name, needle := range needles {
			if bytes.Contains(data[:n], needle) && !slices.Contains(found, name) {
				found = append(found, name)
			}
		}
	}
	return found
}
