//go:build cluster

package chart

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kubectl runs as administrator of the cluster that scripts/test-kubernetes made.
func kubectl(t *testing.T, input string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(input, args...)
	if err != nil {
		t.Fatalf("kubectl %v: %v", args, err)
	}
	return out
}

func tryKubectl(input string, args ...string) (string, error) {
	var problem bytes.Buffer
	command := exec.Command(os.Getenv("KUBECTL"), args...)
	command.Stdin, command.Stderr = strings.NewReader(input), &problem
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, problem.String())
	}
	return string(out), err
}

// text is the whole release.
func text(t *testing.T, sets ...string) string {
	t.Helper()
	var all []string
	for name, part := range template(t, sets...) {
		if name != "NOTES.txt" {
			all = append(all, part)
		}
	}
	return strings.Join(all, "\n---\n")
}

// A release with each source of certificates is installed, and the server gives a pod the sidecar that the values say; what
// the server knows only when a pod comes, it shows here.
func TestClusterChartInjects(t *testing.T) {
	kubectl(t, "", "create", "namespace", "chart")
	t.Cleanup(func() { kubectl(t, "", "delete", "namespace", "chart", "--wait=false") })
	for _, certificates := range []string{"secret", "csi", "spire", "none"} {
		t.Run(certificates, func(t *testing.T) {
			image := "registry.example/outrigger:" + certificates
			release := text(t, "sidecar.certificates="+certificates, "sidecar.image="+image, "sidecar.port=7443",
				"discovery[0].namespace=chart", "discovery[0].serviceAccounts[0]=order")
			kubectl(t, release, "apply", "--validate=strict", "-f", "-")
			t.Cleanup(func() { kubectl(t, release, "delete", "-f", "-") })
			eventually(t, func() error {
				pod := `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"chart","labels":{"outrigger.dev/inject":"enabled"}},
					"spec":{"automountServiceAccountToken":false,"containers":[{"name":"a","image":"a"}]}}`
				out, err := tryKubectl(pod, "create", "--dry-run=server", "-o", "json", "-f", "-")
				if err != nil {
					return err
				}
				return injected([]byte(out), image)
			})
		})
	}
}

func injected(pod []byte, image string) error {
	var got struct {
		Spec struct {
			InitContainers []struct {
				Image string
				Ports []struct{ ContainerPort int }
			}
		}
	}
	if err := json.Unmarshal(pod, &got); err != nil {
		return err
	}
	if all := got.Spec.InitContainers; len(all) != 1 || all[0].Image != image || all[0].Ports[0].ContainerPort != 7443 {
		return fmt.Errorf("%+v", all)
	}
	return nil
}

func eventually(t *testing.T, is func() error) {
	t.Helper()
	err := errors.New("never asked")
	for end := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		err = is()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The server takes the webhook's release, with cert-manager's kinds and with a given certificate.
func TestClusterChartOfTheWebhook(t *testing.T) {
	where, err := exec.Command("go", "-C", "../k8s", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	kinds := filepath.Join(strings.TrimSpace(string(where)), "deploy", "crds")
	kubectl(t, "", "apply", "--server-side", "-f", kinds)
	t.Cleanup(func() { kubectl(t, "", "delete", "-f", kinds) })
	kubectl(t, "", "wait", "--for=condition=Established", "--timeout=30s", "crd/certificates.cert-manager.io", "crd/issuers.cert-manager.io")
	kubectl(t, "", "create", "namespace", namespace)
	t.Cleanup(func() { kubectl(t, "", "delete", "namespace", namespace, "--wait=false") })
	kubectl(t, "", "label", "namespace", namespace, "pod-security.kubernetes.io/warn=restricted")
	for _, sets := range [][]string{
		{"mode=webhook"},
		{"mode=webhook", "webhook.certificate.certManager=false", "webhook.certificate.caBundle=" + caBundle(t), "webhook.imagePullSecrets[0].name=pull"},
	} {
		kubectl(t, text(t, sets...), "apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-")
	}
}

// caBundle is a root as the API server wants it: it parses what it is given.
func caBundle(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("base64", "-w", "0", filepath.Join(os.Getenv("CLUSTER"), "ca.crt")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
