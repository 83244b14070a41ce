//go:build cluster

package k8s

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"
)

// installCertManager adds cert-manager's kinds, not what acts on them.
func installCertManager(t *testing.T) {
	t.Helper()
	where, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(where)), "deploy", "crds")
	kubectl(t, nil, "apply", "--server-side", "-f", dir)
	t.Cleanup(func() { kubectl(t, nil, "delete", "-f", dir) })
	kubectl(t, nil, "wait", "--for=condition=Established", "--timeout=30s", "crd/certificates.cert-manager.io", "crd/issuers.cert-manager.io")
}

// makeShop makes the namespace of the manifests, with the accounts that their pods name.
func makeShop(t *testing.T) {
	t.Helper()
	for _, file := range []string{"namespace.yaml", "access.yaml"} {
		kubectl(t, nil, "apply", "-f", filepath.Join(folder, "base", file))
	}
	t.Cleanup(func() {
		kubectl(t, nil, "delete", "namespace", "shop", "--wait=false")
		kubectl(t, nil, "-n", "shop", "delete", "pods", "--all", "--force", "--grace-period=0") // no kubelet ends them
		for _, claim := range strings.Fields(string(kubectl(t, nil, "-n", "shop", "get", "persistentvolumeclaims", "-o", "name"))) {
			_, _, _ = tryKubectl(nil, "-n", "shop", "patch", claim, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`) // nor their use
		}
		kubectl(t, nil, "wait", "--for=delete", "namespace/shop", "--timeout=60s")
	})
}

// The server takes what every overlay builds, as it is and with sidecars by inject, and has no warning: none about a field,
// none about Pod Security.
func TestClusterShopIsAccepted(t *testing.T) {
	installCertManager(t)
	makeShop(t)
	done := map[string]bool{}
	for _, dirs := range stacks {
		for _, dir := range dirs {
			if done[dir] {
				continue
			}
			done[dir] = true
			text := build(t, filepath.Join("overlays", dir))
			for how, text := range map[string][]byte{"plain": text, "injected": outrigger(t, text, "inject")} {
				_, problem, err := tryKubectl(text, "apply", "--dry-run=server", "--validate=strict", "-f", "-")
				problem = withoutLine(problem, "missing the kubectl.kubernetes.io/last-applied-configuration")
				if err != nil || problem != "" {
					t.Errorf("%s, %s: %v\n%s", dir, how, err, problem)
				}
			}
		}
	}
	kubectl(t, secrets(t), "apply", "--dry-run=server", "--validate=strict", "-f", "-")
}

func withoutLine(text, part string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.Contains(line, part) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// The pods of every workload are made by the server with the sidecar that inject gives them, under Pod Security; without
// the label they get none. Order's sidecar, and only order, can read a token.
func TestClusterShopIsInjected(t *testing.T) {
	makeShop(t)
	policy := filepath.Join(folder, "injection", "policy.yaml")
	kubectl(t, nil, "apply", "-f", policy)
	t.Cleanup(func() { kubectl(t, nil, "delete", "-f", policy) })
	bare, offline := manifest{}, manifest{}
	for _, dir := range []string{"overlays/local", "overlays/canary/pods", "overlays/blue-green/green"} {
		text := build(t, dir)
		bare.read(t, text)
		offline.read(t, outrigger(t, text, "inject"))
	}
	first := bare.workloads()[0]
	eventually(t, "injection", func() error {
		pod, err := created(t, "shop", podOf(first))
		if err == nil && len(pod.Spec.InitContainers) == 0 {
			err = errors.New("not injected yet")
		}
		return err
	})
	want := map[string]*corev1.Container{}
	for _, w := range offline.workloads() {
		want[w.name] = w.sidecar()
	}
	for _, w := range bare.workloads() {
		pod, err := created(t, "shop", podOf(w))
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
			continue
		}
		made := workload{name: w.name, pod: &corev1.PodTemplateSpec{Spec: pod.Spec}}
		if (made.sidecar() == nil) != (want[w.name] == nil) {
			t.Errorf("%s: a sidecar: %v, by inject: %v", w.name, made.sidecar() != nil, want[w.name] != nil)
		} else if made.sidecar() != nil {
			checkSameSidecar(t, w.name, made.sidecar(), want[w.name], w.name == "order")
		}
	}
}

func podOf(w workload) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: *w.pod.ObjectMeta.DeepCopy(), Spec: *w.pod.Spec.DeepCopy()}
	for _, claim := range w.claims { // what a StatefulSet does for its pods
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name}}})
	}
	return pod
}

// checkSameSidecar compares what the two ways of injection say, without what the server fills in.
func checkSameSidecar(t *testing.T, name string, got, want *corev1.Container, token bool) {
	t.Helper()
	const tokens = "/var/run/secrets/kubernetes.io/serviceaccount"
	mounts := slices.DeleteFunc(slices.Clone(got.VolumeMounts), func(m corev1.VolumeMount) bool { return m.MountPath == tokens })
	if token != (len(mounts) < len(got.VolumeMounts)) {
		t.Errorf("%s: the sidecar has a token: %v", name, !token)
	}
	for what, pair := range map[string][2]any{
		"args": {got.Args, want.Args}, "image": {got.Image, want.Image}, "security": {got.SecurityContext, want.SecurityContext},
		"mounts": {len(mounts), len(want.VolumeMounts)}, "ports": {len(got.Ports), len(want.Ports)},
		"environment":   {variables(got), variables(want)},
		"memory":        {got.Resources.Limits.Memory().String(), want.Resources.Limits.Memory().String()},
		"restartPolicy": {got.RestartPolicy, want.RestartPolicy},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			t.Errorf("%s: %s: %v, by inject %v", name, what, pair[0], pair[1])
		}
	}
}

// variables are the names in a container's environment; the policy sets OUTRIGGER_POLICY even when it is empty.
func variables(c *corev1.Container) (names []string) {
	for _, variable := range c.Env {
		if variable.Name != "OUTRIGGER_POLICY" {
			names = append(names, variable.Name)
		}
	}
	return names
}

// What the accounts may do, by the server's own authorizer.
func TestClusterShopHasRightsOfDiscovery(t *testing.T) {
	makeShop(t)
	for _, ask := range []struct{ who, verb, what, ns, want string }{
		{"order", "list", "endpointslices.discovery.k8s.io", "shop", "yes"},
		{"order", "watch", "endpointslices.discovery.k8s.io", "shop", "yes"},
		{"order", "create", "endpointslices.discovery.k8s.io", "shop", "no"},
		{"order", "list", "endpointslices.discovery.k8s.io", "default", "no"},
		{"order", "get", "secrets", "shop", "no"},
		{"order", "list", "pods", "shop", "no"},
		{"payment", "list", "endpointslices.discovery.k8s.io", "shop", "no"},
		{"shipping", "get", "secrets", "shop", "no"},
	} {
		out, _, _ := tryKubectl(nil, "auth", "can-i", ask.verb, ask.what, "-n", ask.ns, "--as=system:serviceaccount:shop:"+ask.who)
		if got := strings.TrimSpace(string(out)); got != ask.want {
			t.Errorf("%s may %s %s in %s: %s, want %s", ask.who, ask.verb, ask.what, ask.ns, got, ask.want)
		}
	}
}

// The stack of a canary, applied for real: the deployment controller makes the pods, the policy adds sidecars, the test
// says that they run, and the EndpointSlices of each Service have the port of the sidecars and the pods of one version.
func TestClusterShopTellsVersionsApart(t *testing.T) {
	makeShop(t)
	policy := filepath.Join(folder, "injection", "policy.yaml")
	kubectl(t, nil, "apply", "-f", policy)
	t.Cleanup(func() { kubectl(t, nil, "delete", "-f", policy) })
	eventually(t, "injection", func() error {
		pod := simplePod()
		pod.Labels = map[string]string{"outrigger.dev/inject": "enabled"}
		made, err := created(t, "default", pod)
		if err == nil && len(made.Spec.InitContainers) == 0 {
			err = errors.New("not injected yet")
		}
		return err
	})
	node := "apiVersion: v1\nkind: Node\nmetadata: { name: shop-node }\n"
	kubectl(t, []byte(node), "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, nil, "delete", "node", "shop-node") })
	for _, dir := range []string{"overlays/local", "overlays/canary/step-5"} {
		kubectl(t, build(t, dir), "apply", "-f", "-")
	}
	var got map[string][]string
	want := map[string][]string{"order": {"8443", "8443"}, "payment": {"8443", "8443", "8443"}, "payment-canary": {"8443"}, "shipping": {"8443", "8443"}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("slices have %v", got)
		}
	})
	eventually(t, "EndpointSlices", func() error {
		playKubelet(t)
		if got = slicePorts(t); !maps.EqualFunc(got, want, slices.Equal) {
			return fmt.Errorf("%v, want %v", got, want)
		}
		return nil
	})
}

// playKubelet binds the pods of the shop that have no node and says that they run and are ready.
func playKubelet(t *testing.T) {
	t.Helper()
	var list corev1.PodList
	if err := yaml.Unmarshal(kubectl(t, nil, "-n", "shop", "get", "pods", "-o", "yaml"), &list); err != nil {
		t.Fatal(err)
	}
	for i, pod := range list.Items {
		if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
			continue
		}
		if len(pod.Spec.InitContainers) != 1 {
			t.Fatalf("%s has no sidecar", pod.Name)
		}
		binding := fmt.Sprintf(`{"apiVersion":"v1","kind":"Binding","metadata":{"name":%q},"target":{"kind":"Node","name":"shop-node"}}`, pod.Name)
		kubectl(t, []byte(binding), "create", "--raw", "/api/v1/namespaces/shop/pods/"+pod.Name+"/binding", "-f", "-")
		ip := fmt.Sprintf("10.78.%d.%d", len(list.Items), i+1)
		status, err := json.Marshal(map[string]any{"status": corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}})
		if err != nil {
			t.Fatal(err)
		}
		kubectl(t, nil, "-n", "shop", "patch", "pod", pod.Name, "--subresource=status", "--type=merge", "-p", string(status))
	}
}

// slicePorts are the ports of the ready endpoints of each Service that has some.
func slicePorts(t *testing.T) map[string][]string {
	t.Helper()
	var list discoveryv1.EndpointSliceList
	if err := yaml.Unmarshal(kubectl(t, nil, "-n", "shop", "get", "endpointslices", "-o", "yaml"), &list); err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for _, slice := range list.Items {
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
				continue
			}
			for _, port := range slice.Ports {
				service := slice.Labels[discoveryv1.LabelServiceName]
				all[service] = append(all[service], fmt.Sprint(*port.Port))
			}
		}
	}
	return all
}
