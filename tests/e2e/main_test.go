package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"outrigger/tests/e2e/internal/endpoint"
)

// TestMain turns this binary into the interop client when a test asks for it, as a failed interop case ends its process,
// and into the endpoints that tests kill.
func TestMain(m *testing.M) {
	endpoint.Main()
	if name := os.Getenv(interopCase); name != "" {
		interopClient(name)
		return
	}
	os.Exit(m.Run())
}

// full tells if the long runs are wanted.
func full() bool { return os.Getenv("E2E_FULL") == "1" }

var toolsFolder = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("./tools").Output()
	return strings.TrimSpace(string(out)), err
})

// tool is the path of a program that the script `tools` builds.
func tool(t *testing.T, name string) string {
	t.Helper()
	folder, err := toolsFolder()
	if err != nil {
		t.Fatalf("building the tools: %v", err)
	}
	return filepath.Join(folder, name)
}
