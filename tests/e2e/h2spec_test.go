package e2e

import (
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outrigger/tests/e2e/internal/cert"
	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

type h2specReport struct {
	Suites []struct {
		Cases []struct {
			Section string    `xml:"package,attr"`
			Title   string    `xml:"classname,attr"`
			Failure *struct{} `xml:"failure"`
			Skipped *struct{} `xml:"skipped"`
			Error   *struct{} `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// TestH2Spec runs the published suite against a listener in the clear and one with TLS. What does not pass must be
// exactly what h2spec-known.txt lists, and why.
func TestH2Spec(t *testing.T) {
	ca := cert.New(t)
	files := cert.Write(t, t.TempDir(), "payment", ca.Service(t, "payment"), ca)
	endpoint := wire.Local(t, wire.Behaviour{OnFrame: wire.Echo, Quiet: true})
	plain, secure := proxy.Address(t), proxy.Address(t)
	proxy.Start(t, identity(files)+fmt.Sprintf(
		"inbound:\n  - { listen: \"%s\", tls: off, forward: \"%s\" }\n  - { listen: \"%s\", tls: server, forward: \"%[2]s\" }\n",
		plain, endpoint.Address, secure))
	known := readKnown(t, "h2spec-known.txt")
	runs := 1
	if full() {
		runs = 10
	}
	for _, mode := range []struct{ name, address string }{{"clear", plain}, {"tls", secure}} {
		t.Run(mode.name, func(t *testing.T) {
			for range runs {
				h2spec(t, mode.address, mode.name == "tls", known)
			}
		})
	}
}

func h2spec(t *testing.T, address string, tls bool, known []string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	file := filepath.Join(t.TempDir(), "report.xml")
	argv := []string{"-S", "-p", port, "-o", "2", "-j", file}
	if tls {
		argv = append(argv, "-t", "-k")
	}
	out, _ := exec.Command(tool(t, "h2spec"), argv...).CombinedOutput()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("no report: %v\n%s", err, out)
	}
	var report h2specReport
	if err := xml.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	passed, open := 0, []string{}
	for _, suite := range report.Suites {
		for _, c := range suite.Cases {
			switch {
			case c.Failure != nil || c.Error != nil:
				open = append(open, "failed "+c.Section+": "+c.Title)
			case c.Skipped != nil:
				open = append(open, "skipped "+c.Section+": "+c.Title)
			default:
				passed++
			}
		}
	}
	t.Logf("h2spec: %d passed, %d did not", passed, len(open))
	if passed < 145 {
		t.Errorf("%d cases passed, at least 145 must\n%s", passed, out)
	}
	for _, line := range open {
		if !slices.Contains(known, line) {
			t.Errorf("not in h2spec-known.txt: %s", line)
		}
	}
	for _, line := range known {
		if !slices.Contains(open, line) {
			t.Errorf("in h2spec-known.txt, but passed: %s", line)
		}
	}
}

// readKnown reads the cases of a list: the reason of each stands in comment lines above it.
func readKnown(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			known = append(known, line)
		}
	}
	return known
}
