package abuse

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"outrigger/tests/e2e/abuse/internal/peer"
	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
)

// tlslite is a Python with the pinned library of tls/requirements.txt, kept between runs.
func tlslite(t *testing.T) string {
	t.Helper()
	wants, err := os.ReadFile("tls/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	dir := filepath.Join(cache, "outrigger", "tlslite")
	python, stamp := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "installed")
	if has, _ := os.ReadFile(stamp); string(has) == string(wants) {
		return python
	}
	for _, argv := range [][]string{
		{"python3", "-m", "venv", "--clear", dir},
		{python, "-m", "pip", "install", "-q", "--no-deps", "-r", "tls/requirements.txt"},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
	}
	if err := os.WriteFile(stamp, wants, 0o600); err != nil {
		t.Fatal(err)
	}
	return python
}

// TestTLS does to a listener what ordinary TLS libraries do not do: each is refused in its way and counted by its reason.
func TestTLS(t *testing.T) {
	python := tlslite(t)
	ca := cert.New(t)
	dir := t.TempDir()
	files := cert.Write(t, dir, "edge", ca.Service(t, "edge"), ca)
	caller := cert.Write(t, dir, "caller", ca.Service(t, "caller"), ca)
	secure := proxy.Address(t)
	s := stage(t, "", fmt.Sprintf("  - { listen: \"%s\", forward: \"127.0.0.1:1\" }\nidentity: { certificate: %s, private_key: %s, trust: %s }\n",
		secure, files.Cert, files.Key, files.Trust))
	_, port, _ := net.SplitHostPort(secure)
	for _, c := range []struct{ name, comes, reason string }{
		{"Honest12", "handshake", ""},
		{"Honest13", "handshake", ""},
		{"OldVersions", "alert protocol_version", "other"},
		{"CBC", "alert handshake_failure", "other"},
		{"StaticRSA", "alert handshake_failure", "other"},
		{"NoALPN", "alert no_application_protocol", "no_protocol"},
		{"OtherALPN", "alert no_application_protocol", "no_protocol"},
		{"NoCertificate", "alert certificate_required", "no_certificate"},
		{"WrongFinished12", "alert decrypt_error", "other"},
		{"WrongFinished13", "alert decrypt_error", "other"},
		{"DamagedRecord", "closed", "other"},
		{"DamagedData", "alert bad_record_mac", ""},
		{"TruncatedHello", "closed", "other"},
		{"OversizedRecord", "alert record_overflow", "other"},
		{"EmptyFragments", "alert unexpected_message", "other"},
		{"TinyRecords", "record handshake", ""},
		{"Heartbeat", "alert unexpected_message", ""},
		{"Renegotiation", "alert no_renegotiation", ""},
		{"Tickets", "none", ""},
		{"EarlyData", "alert illegal_parameter", "other"},
		{"Compression12", "handshake", ""},
		{"Compression13", "alert illegal_parameter", "other"},
		{"KeyUpdates", "closed", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := handshakeFailures(s.proxy)
			out, err := exec.Command(python, "tls/attack.py", c.name, port, caller.Cert, caller.Key).CombinedOutput()
			if came := strings.TrimSpace(string(out)); err != nil || came != c.comes {
				t.Errorf("%s (%v), expected %s", came, err, c.comes)
			}
			if c.reason == "" || t.Failed() {
				return
			}
			eventually(t, peer.Patience, "a failed handshake is counted as "+c.reason, func() bool {
				return handshakeFailures(s.proxy)[c.reason] > before[c.reason]
			})
		})
	}
	if calls := s.neighbour.Lap(); calls.Lost > 0 {
		t.Errorf("the neighbour lost %d of %d calls: %s", calls.Lost, calls.Made, calls.Why)
	}
}

// handshakeFailures are those with callers, by reason.
func handshakeFailures(p *proxy.Proxy) map[string]int {
	failures := map[string]int{}
	_, body := p.Get("/metrics")
	for _, m := range handshakeFailure.FindAllStringSubmatch(body, -1) {
		failures[m[1]], _ = strconv.Atoi(m[2])
	}
	return failures
}

var handshakeFailure = regexp.MustCompile(`outrigger_handshake_failures_total\{peer="caller",reason="([a-z_]+)"\} (\d+)`)
