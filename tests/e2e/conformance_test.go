package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const grpcFeatures = `features:
  versions: [HTTP_VERSION_2]
  protocols: [PROTOCOL_GRPC]
  codecs: [CODEC_PROTO]
  compressions: [COMPRESSION_IDENTITY, COMPRESSION_GZIP]
  supportsTls: %t
  supportsTlsClientCerts: %[1]t
`

// verdict is the outcome of one run: the counts, and the failed cases with what was said of them.
type verdict struct {
	total, passed int
	failed        map[string]string
	output        string
}

var (
	caseFailed = regexp.MustCompile(`(?m)^FAILED: (.+):$((?:\n\t.*|\n  .*)*)`)
	caseCounts = regexp.MustCompile(`Total cases: (\d+)\n(\d+) passed, (\d+) failed`)
)

// conformance runs the published suite in server mode against a command.
func conformance(t *testing.T, tls bool, server ...string) verdict {
	t.Helper()
	config := filepath.Join(t.TempDir(), "features.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(grpcFeatures, tls)), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := append([]string{"--mode", "server", "--conf", config, "-v", "--"}, server...)
	out, _ := exec.Command(tool(t, "connectconformance"), argv...).CombinedOutput()
	v := verdict{failed: map[string]string{}, output: string(out)}
	counts := caseCounts.FindStringSubmatch(v.output)
	if counts == nil {
		t.Fatalf("the conformance runner gave no counts:\n%s", v.output)
	}
	fmt.Sscan(counts[1], &v.total)
	fmt.Sscan(counts[2], &v.passed)
	for _, m := range caseFailed.FindAllStringSubmatch(v.output, -1) {
		v.failed[m[1]] = strings.TrimSpace(m[2])
	}
	if v.passed+len(v.failed) != v.total {
		t.Fatalf("%d passed and %d failures were read, of %d:\n%s", v.passed, len(v.failed), v.total, v.output)
	}
	return v
}

// TestConformanceGRPCServer compares the verdict of each case with and without the proxy before grpc-go.
func TestConformanceGRPCServer(t *testing.T) {
	direct := conformance(t, false, tool(t, "grpcserver"))
	if direct.total != 374 || direct.passed != 370 {
		t.Fatalf("grpc-go alone: %d of %d, expected 370 of 374", direct.passed, direct.total)
	}
	runs := 1
	if full() {
		runs = 10
	}
	for run := range runs {
		proxied := conformance(t, false, tool(t, "conformserver"), tool(t, "grpcserver"))
		if proxied.total != direct.total {
			t.Errorf("run %d: %d cases, without the proxy %d\n%s", run, proxied.total, direct.total, proxied.output)
		}
		for name, reason := range proxied.failed {
			if _, same := direct.failed[name]; !same {
				t.Errorf("run %d: %s passes without the proxy and fails with it: %s", run, name, reason)
			}
		}
		for name := range direct.failed {
			if _, same := proxied.failed[name]; !same {
				t.Errorf("run %d: %s fails without the proxy and passes with it", run, name)
			}
		}
		t.Logf("run %d: %d of %d passed", run, proxied.passed, proxied.total)
	}
}

// TestConformanceReferenceServer has the clear, TLS and client-certificate cases, with TLS ended by the proxy.
func TestConformanceReferenceServer(t *testing.T) {
	runs := 1
	if full() {
		runs = 10
	}
	for run := range runs {
		v := conformance(t, true, tool(t, "conformserver"), tool(t, "referenceserver"))
		for name, reason := range v.failed {
			t.Errorf("run %d: %s: %s", run, name, reason)
		}
		if v.total != 570 || v.passed != 570 {
			t.Errorf("run %d: %d of %d passed, expected 570 of 570", run, v.passed, v.total)
		}
		if !strings.Contains(v.output, "TLS:true (with client certs)") {
			t.Errorf("no case used client certificates:\n%s", v.output)
		}
	}
}
