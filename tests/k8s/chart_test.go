package k8s

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The files of the Helm chart are what this binary makes; k8s/charts/generate writes them. tests/chart renders the chart.
func TestFilesOfTheChartAreCurrent(t *testing.T) {
	charts, dir := filepath.Join(folder, "charts"), t.TempDir()
	if out, err := exec.Command(filepath.Join(charts, "generate"), os.Getenv("OUTRIGGER"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	fresh, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(fresh) != 4 {
		t.Fatal(fresh, err)
	}
	for _, path := range fresh {
		made, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		there, err := os.ReadFile(filepath.Join(charts, "outrigger-injection", "files", filepath.Base(path)))
		if err != nil || !bytes.Equal(made, there) {
			t.Errorf("%s is not what k8s/charts/generate makes (%v)", filepath.Base(path), err)
		}
	}
}
