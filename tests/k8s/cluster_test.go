//go:build cluster

package k8s

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// kubectl runs a command as administrator; CLUSTER is the folder that scripts/test-kubernetes made.
func kubectl(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	out, problem, err := tryKubectl(input, args...)
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s", args, err, problem)
	}
	return out
}

func tryKubectl(input []byte, args ...string) (out []byte, problem string, err error) {
	var stderr bytes.Buffer
	command := exec.Command(os.Getenv("KUBECTL"), args...)
	command.Stdin, command.Stderr = bytes.NewReader(input), &stderr
	out, err = command.Output()
	return out, stderr.String(), err
}

// namespace makes one with a service account named order, and labels.
func namespace(t *testing.T, name string, labels ...string) {
	t.Helper()
	kubectl(t, nil, "create", "namespace", name)
	t.Cleanup(func() { kubectl(t, nil, "delete", "namespace", name, "--wait=false") })
	kubectl(t, nil, "-n", name, "create", "serviceaccount", "order")
	for _, label := range labels {
		kubectl(t, nil, "label", "namespace", name, label)
	}
	eventually(t, "the default service account", func() error {
		_, problem, err := tryKubectl(nil, "-n", name, "get", "serviceaccount", "default")
		return errors.Join(err, asError(problem))
	})
}

func asError(text string) error {
	if text == "" {
		return nil
	}
	return errors.New(text)
}

// eventually asks until it is so; the API server applies some things a moment after it took them.
func eventually(t *testing.T, what string, is func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if err = is(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

// What inject makes of every shape is accepted by the server's own validation.
func TestClusterAcceptsInjectedShapes(t *testing.T) {
	namespace(t, "shapes")
	for _, file := range shapes(t) {
		if strings.Contains(file, "unknown-kinds") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			kubectl(t, outrigger(t, before, "inject"), "-n", "shapes", "apply", "--dry-run=server", "-f", "-")
		})
	}
}

// created is what the server makes of a pod, in a dry run.
func created(t *testing.T, ns string, pod *corev1.Pod) (*corev1.Pod, error) {
	t.Helper()
	pod.APIVersion, pod.Kind = "v1", "Pod"
	if pod.Name == "" {
		pod.Name = "order"
	}
	text, err := yaml.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	out, problem, err := tryKubectl(text, "-n", ns, "create", "--dry-run=server", "-o", "yaml", "-f", "-")
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, problem)
	}
	var after corev1.Pod
	if err := yaml.Unmarshal(out, &after); err != nil {
		t.Fatal(err)
	}
	return &after, nil
}

func simplePod() *corev1.Pod {
	return &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "order", Image: "order:1"}}}}
}

// waitForInjection waits until the server injects in that namespace.
func waitForInjection(t *testing.T, ns string) {
	t.Helper()
	eventually(t, "injection", func() error {
		pod, err := created(t, ns, simplePod())
		if err == nil && len(pod.Spec.InitContainers) == 0 {
			err = errors.New("not injected yet")
		}
		return err
	})
}

// checkInjection sends the pods of all shapes, and what opts out or is outside.
func checkInjection(t *testing.T, asked, other string) {
	t.Helper()
	for _, file := range shapes(t) {
		if strings.Contains(file, "unknown-kinds") || strings.Contains(file, "spire") || strings.Contains(file, "tuned") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pods(t, text) {
			pod := &corev1.Pod{ObjectMeta: p.meta, Spec: p.spec}
			if pod.Spec.RestartPolicy == "" {
				pod.Spec.RestartPolicy = corev1.RestartPolicyAlways
			}
			after, err := created(t, asked, pod)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			checkInjected(t, p, template{p.name, after.ObjectMeta, after.Spec})
			if len(after.Spec.InitContainers) > 0 {
				again, err := created(t, asked, &corev1.Pod{ObjectMeta: p.meta, Spec: after.Spec})
				if err != nil || len(again.Spec.InitContainers) != len(after.Spec.InitContainers) {
					t.Errorf("%s: a second pass: %v", file, err)
				}
			}
		}
	}
	if pod, err := created(t, other, simplePod()); err != nil || len(pod.Spec.InitContainers) > 0 {
		t.Errorf("a pod that nobody asked about: %v", err)
	}
	labelled := simplePod()
	labelled.Labels = map[string]string{"outrigger.dev/inject": "enabled"}
	if pod, err := created(t, other, labelled); err != nil || len(pod.Spec.InitContainers) != 1 {
		t.Errorf("a pod that asks by its label: %v", err)
	}
	unlabelled := simplePod()
	unlabelled.Labels = map[string]string{"outrigger.dev/inject": "disabled"}
	if pod, err := created(t, asked, unlabelled); err != nil || len(pod.Spec.InitContainers) > 0 {
		t.Errorf("a pod that opts out by its label: %v", err)
	}
	tuned := simplePod()
	tuned.Annotations = map[string]string{"outrigger.dev/image": "other:2", "outrigger.dev/ports": "7443, 8443", "outrigger.dev/admin-port": "9990",
		"outrigger.dev/config": "special", "outrigger.dev/memory-limit": "99Mi"}
	if pod, err := created(t, asked, tuned); err != nil {
		t.Error(err)
	} else {
		sidecar := pod.Spec.InitContainers[0]
		if sidecar.Image != "other:2" || sidecar.Ports[0].ContainerPort != 7443 || sidecar.StartupProbe.HTTPGet.Port.IntValue() != 9990 ||
			sidecar.Resources.Limits.Memory().String() != "99Mi" {
			t.Errorf("annotations: %+v", sidecar)
		}
	}
	wrong := simplePod()
	wrong.Annotations = map[string]string{"outrigger.dev/admin-port": "many"}
	if _, err := created(t, asked, wrong); err == nil {
		t.Error("a wrong annotation is let through")
	}
}

// The admission policy injects by itself.
func TestClusterPolicyInjects(t *testing.T) {
	namespace(t, "policy-asked", "outrigger.dev/inject=enabled")
	namespace(t, "policy-other")
	file := filepath.Join(folder, "injection", "policy.yaml")
	kubectl(t, nil, "apply", "-f", file)
	t.Cleanup(func() { kubectl(t, nil, "delete", "-f", file) })
	waitForInjection(t, "policy-asked")
	checkInjection(t, "policy-asked", "policy-other")
}

// The webhook does the same; when it is down, a pod that asks for the sidecar is refused and others are made.
func TestClusterWebhookInjects(t *testing.T) {
	namespace(t, "webhook-asked", "outrigger.dev/inject=enabled")
	namespace(t, "webhook-other")
	w := startWebhook(t)
	certificate, err := os.ReadFile(w.certificate)
	if err != nil {
		t.Fatal(err)
	}
	all, err := os.ReadFile(filepath.Join(folder, "injection", "webhook.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, configuration, found := bytes.Cut(all, []byte("apiVersion: admissionregistration.k8s.io/v1"))
	if !found {
		t.Fatal("no configuration in webhook.yaml")
	}
	text := strings.ReplaceAll("apiVersion: admissionregistration.k8s.io/v1"+string(configuration),
		"service: { name: outrigger-webhook, namespace: outrigger-system, path: /mutate }",
		fmt.Sprintf("{ url: %q, caBundle: %s }", w.url+"/mutate", base64.StdEncoding.EncodeToString(certificate)))
	text = strings.ReplaceAll(text, "clientConfig:\n      {", "clientConfig: {")
	kubectl(t, []byte(text), "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, nil, "delete", "mutatingwebhookconfiguration", "outrigger-inject") })
	waitForInjection(t, "webhook-asked")
	checkInjection(t, "webhook-asked", "webhook-other")
}

// Every manifest of k8s/ passes the server's validation, but for kinds of others' CRDs.
func TestClusterAcceptsTheManifests(t *testing.T) {
	for _, file := range []string{"injection/webhook.yaml"} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, ns := range []string{"shop", "outrigger-system"} {
			if bytes.Contains(text, []byte("namespace: "+ns)) {
				kubectl(t, nil, "create", "namespace", ns)
				t.Cleanup(func() { kubectl(t, nil, "delete", "namespace", ns, "--wait=false") })
			}
		}
		kubectl(t, text, "apply", "--dry-run=server", "-f", "-")
	}
}
