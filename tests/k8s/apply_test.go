package k8s

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A kubectl with two orders, a and b, whose sidecars count generations in files; `annotate` is when the kubelet looks, and b
// needs to be asked once more after that. CHANGES and REFUSES tell what becomes of the configuration.
const fakeKubectl = `#!/bin/bash
cd "$(dirname "$0")"
echo "$*" >>log
case "$*" in
*"get configmap"*) cat version ;;
*"get pods"*) echo a b ;;
*"exec a"*) printf '{\n  "generation": %s,\n' "$(cat a)" ;;
*"exec b"*)
  if [ -e late ]; then rm late; elif [ -e looked ] && [ -z "$REFUSES" ]; then echo 8 >b; fi
  printf '{\n  "generation": %s,\n' "$(cat b)" ;;
*apply*) [ -z "$CHANGES" ] || echo 2 >version ;;
*annotate*) echo 4 >a; touch looked late ;;
esac
`

func TestApplyWaitsForTheSidecars(t *testing.T) {
	for _, row := range []struct {
		name, env, said string
		fails           bool
		asked           int // how often b is asked
	}{
		{"a change", "CHANGES=1", "every order has the configuration", false, 3},
		{"no change", "", "the configuration of order is what it was", false, 1},
		{"a change that b refuses", "CHANGES=1 REFUSES=1", "has not taken the configuration: b;", true, 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"kubectl": fakeKubectl, "version": "1", "a": "3", "b": "7"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			command := exec.Command(filepath.Join(folder, "apply"), "somewhere")
			command.Env = append(os.Environ(), "KUBECTL="+filepath.Join(dir, "kubectl"), "PATIENCE=3")
			command.Env = append(command.Env, strings.Fields(row.env)...)
			out, err := command.CombinedOutput()
			if (err != nil) != row.fails || !strings.Contains(string(out), row.said) {
				t.Errorf("%v: %s", err, out)
			}
			log, err := os.ReadFile(filepath.Join(dir, "log"))
			if asked := strings.Count(string(log), "exec b"); err != nil || asked != row.asked || !strings.Contains(string(log), "apply -k somewhere") {
				t.Errorf("b was asked %d times, want %d\n%s", asked, row.asked, log)
			}
		})
	}
}
