//go:build cluster

package k8s

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"
)

// Who runs the pods: scripts/test-kubernetes --node makes this machine a node of that name. There is no scheduler.
const nodeName = "node"

// shopStage is k8s/overlays/local as a user applies it, its sidecars put in by the admission policy, on that node.
type shopStage struct{ ns string }

var stage *shopStage

// startShop applies it once and waits until everything is available. What this cluster has no image of is left out: order
// keeps its orders in a file.
func startShop(t *testing.T) *shopStage {
	t.Helper()
	if stage != nil {
		return stage
	}
	kubectl(t, nil, "apply", "-f", filepath.Join(folder, "injection", "policy.yaml"))
	s := &shopStage{ns: "shop"}
	s.applyAll(t, build(t, "overlays/local"))
	made, err := exec.Command(filepath.Join(folder, "secrets")).Output()
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, made, "apply", "-f", "-")
	for _, name := range s.deployments(t) {
		if out, problem, err := tryKubectl(nil, "-n", s.ns, "rollout", "status", "deployment/"+name, "--timeout=90s"); err != nil {
			t.Fatalf("%s: %s %s\n%s", name, out, problem, kubectl(t, nil, "-n", s.ns, "get", "pods,events"))
		}
	}
	stage = s
	return s
}

type object = map[string]any

// applyAll applies a manifest of many documents, fitted to this cluster; namespaces first, and injection before pods.
func (s *shopStage) applyAll(t *testing.T, manifest []byte) {
	t.Helper()
	var rest [][]byte
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		text, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		switch o["kind"] {
		case "Namespace":
			kubectl(t, text, "apply", "-f", "-")
		case "StatefulSet": // no image of PostgreSQL here
		case "PersistentVolumeClaim":
			rest = append(rest, text, s.volume(t, o["metadata"].(object)["name"].(string)))
		case "Deployment":
			if deployment := fitted(t, o); deployment != nil {
				rest = append(rest, deployment)
			}
		default:
			rest = append(rest, text)
		}
	}
	s.waitForInjection(t)
	kubectl(t, bytes.Join(rest, []byte("---\n")), "apply", "-f", "-")
}

// volume is a folder of this machine for a claim, as no storage class makes one.
func (s *shopStage) volume(t *testing.T, claim string) []byte {
	t.Helper()
	dir := filepath.Join(os.Getenv("CLUSTER"), "volumes", claim)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, "apiVersion: v1\nkind: PersistentVolume\nmetadata: { name: %s }\nspec:\n  accessModes: [ReadWriteOnce]\n"+
		"  capacity: { storage: 1Gi }\n  hostPath: { path: %s }\n  claimRef: { namespace: %s, name: %s }\n", claim, dir, s.ns, claim)
}

// waitForInjection waits until the policy is in force, with a pod that the namespace lets in.
func (s *shopStage) waitForInjection(t *testing.T) {
	t.Helper()
	yes, no := true, false
	eventually(t, "injection", func() error {
		pod := simplePod()
		pod.Labels = map[string]string{"outrigger.dev/inject": "enabled"}
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: &yes,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
		pod.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: &no,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
		after, err := created(t, s.ns, pod)
		if err == nil && len(after.Spec.InitContainers) == 0 {
			err = errors.New("not injected yet")
		}
		return err
	})
}

// fitted puts pods on the node, and order's database into a file; nil when the image does not have the program.
func fitted(t *testing.T, deployment object) []byte {
	t.Helper()
	pod := deployment["spec"].(object)["template"].(object)["spec"].(object)
	container := pod["containers"].([]any)[0].(object)
	program := strings.TrimPrefix(container["command"].([]any)[0].(string), "/")
	if _, err := os.Stat(filepath.Join(os.Getenv("CLUSTER"), "bin", program)); err != nil {
		t.Logf("the examples have no %s yet", program)
		return nil
	}
	pod["nodeName"] = nodeName
	for _, variable := range container["env"].([]any) {
		if v := variable.(object); v["name"] == "ORDER_DATABASE" {
			delete(v, "valueFrom")
			v["value"] = "/data/order.db"
			container["volumeMounts"] = []any{object{"name": "data", "mountPath": "/data"}}
			pod["volumes"] = []any{object{"name": "data", "emptyDir": object{}}}
		}
	}
	text, err := yaml.Marshal(deployment)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *shopStage) deployments(t *testing.T) []string {
	return strings.Fields(string(kubectl(t, nil, "-n", s.ns, "get", "deployments", "-o", "jsonpath={.items[*].metadata.name}")))
}

// pods with that label app which nobody has told to end, oldest first.
func (s *shopStage) pods(t *testing.T, app string) []corev1.Pod {
	t.Helper()
	var list corev1.PodList
	if err := json.Unmarshal(kubectl(t, nil, "-n", s.ns, "get", "pods", "-l", "app="+app, "-o", "json"), &list); err != nil {
		t.Fatal(err)
	}
	list.Items = slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil })
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return list.Items
}

func (s *shopStage) pod(t *testing.T, name string) *corev1.Pod {
	t.Helper()
	var p corev1.Pod
	if err := json.Unmarshal(kubectl(t, nil, "-n", s.ns, "get", "pod", name, "-o", "json"), &p); err != nil {
		t.Fatal(err)
	}
	return &p
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// status of the sidecar or of the service in a pod.
func status(p *corev1.Pod, container string) corev1.ContainerStatus {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if c.Name == container {
			return c
		}
	}
	return corev1.ContainerStatus{}
}

// within is eventually with a limit of its own.
func within(t *testing.T, limit time.Duration, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// signal sends one to all processes of a container.
func signal(t *testing.T, p *corev1.Pod, container string, s syscall.Signal) {
	t.Helper()
	id := strings.TrimPrefix(status(p, container).ContainerID, "containerd://")
	out, err := exec.Command("ctr", "-n", "k8s.io", "task", "ps", id).Output()
	if err != nil || id == "" {
		t.Fatalf("%s of %s: %v", container, p.Name, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		pid, err := strconv.Atoi(strings.Fields(line)[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// page is one of the sidecar's admin page.
func page(t *testing.T, p *corev1.Pod, path string) string {
	t.Helper()
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + p.Status.PodIP + ":9901" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// metric sums the samples of that name whose line contains all texts.
func metric(t *testing.T, p *corev1.Pod, name string, texts ...string) (sum float64) {
	t.Helper()
	for line := range strings.Lines(page(t, p, "/metrics")) {
		has := func(text string) bool { return strings.Contains(line, text) }
		if !strings.HasPrefix(line, name) || slices.ContainsFunc(texts, func(text string) bool { return !has(text) }) {
			continue
		}
		if rest := line[len(name):]; rest[0] == '{' || rest[0] == ' ' {
			value, err := strconv.ParseFloat(strings.Fields(rest[strings.LastIndexByte(rest, ' '):])[0], 64)
			if err != nil {
				t.Fatal(line)
			}
			sum += value
		}
	}
	return sum
}

// addresses of a service's endpoints that are ready.
func (s *shopStage) addresses(t *testing.T, service string) (all []string) {
	t.Helper()
	var list discoveryv1.EndpointSliceList
	if err := json.Unmarshal(kubectl(t, nil, "-n", s.ns, "get", "endpointslices", "-l", "kubernetes.io/service-name="+service, "-o", "json"), &list); err != nil {
		t.Fatal(err)
	}
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				all = append(all, endpoint.Addresses...)
			}
		}
	}
	return all
}

var batches int

// batch begins the ids of the last orders that were placed.
func (s *shopStage) batch() string { return fmt.Sprintf("batch-%d-%d", os.Getpid(), batches) }

// place has order's pod place so many orders, and returns how many were placed and how many of the calls failed.
func (s *shopStage) place(t *testing.T, count, rate int) (placed, failed int, said string) {
	t.Helper()
	batches++
	out, problem, err := tryKubectl(nil, "-n", s.ns, "exec", "deployment/order", "-c", "order", "--", "/shop", "place",
		"-prefix", s.batch(), "-count", fmt.Sprint(count), "-rate", fmt.Sprint(rate), "-workers", "16")
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	said = lines[len(lines)-1]
	if err != nil {
		t.Fatalf("%v %s\n%s", err, problem, out)
	}
	var paid, cancelled int
	if n, err := fmt.Sscanf(said, "%d orders: %d paid, %d cancelled; %d calls failed", &placed, &paid, &cancelled, &failed); n != 4 {
		t.Fatalf("%q: %v", said, err)
	}
	for _, line := range lines {
		if strings.Contains(line, " failed in ") {
			t.Log(line)
		}
	}
	return placed, failed + cancelled, said
}

// load places orders until it is told to stop.
type load struct {
	ctx            context.Context
	stop           context.CancelFunc
	done           chan struct{}
	placed, failed int
}

func (s *shopStage) startLoad(t *testing.T, rate int) *load {
	t.Helper()
	l := &load{done: make(chan struct{})}
	l.ctx, l.stop = context.WithCancel(context.Background())
	go func() {
		defer close(l.done)
		for l.ctx.Err() == nil {
			placed, failed, _ := s.place(t, 2*rate, rate)
			l.placed, l.failed = l.placed+placed, l.failed+failed
		}
	}()
	t.Cleanup(func() { l.stop(); <-l.done })
	return l
}

func (l *load) wantNoneFailed(t *testing.T) {
	t.Helper()
	l.stop()
	<-l.done
	t.Logf("%d orders, %d failed", l.placed, l.failed)
	if l.failed > 0 || l.placed == 0 {
		t.Errorf("%d of %d orders failed", l.failed, l.placed)
	}
}
