package k8s

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// templates of a manifest: pod metadata and spec by kind and name. Kinds that hold no pod are left out.
type template struct {
	name string
	meta metav1.ObjectMeta
	spec corev1.PodSpec
}

func pods(t *testing.T, text []byte) []template {
	t.Helper()
	var all []template
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, podsOf(t, document)...)
	}
}

func podsOf(t *testing.T, document []byte) []template {
	t.Helper()
	var meta struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata,omitempty"`
	}
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return nil // not an object
	}
	strict := func(object any) {
		if err := decode(document, object); err != nil {
			t.Errorf("%s %s: %v", meta.Kind, meta.Name, err)
		}
	}
	one := func(m metav1.ObjectMeta, s corev1.PodSpec) []template { return []template{{meta.Name, m, s}} }
	switch meta.APIVersion + " " + meta.Kind {
	case "v1 List":
		var list struct {
			Items []runtime.RawExtension `json:"items"`
		}
		if err := yaml.Unmarshal(document, &list); err != nil {
			t.Fatal(err)
		}
		var all []template
		for _, item := range list.Items {
			all = append(all, podsOf(t, item.Raw)...)
		}
		return all
	case "v1 Pod":
		var o corev1.Pod
		strict(&o)
		return one(o.ObjectMeta, o.Spec)
	case "v1 PodTemplate":
		var o corev1.PodTemplate
		strict(&o)
		return one(o.Template.ObjectMeta, o.Template.Spec)
	case "v1 ReplicationController":
		var o corev1.ReplicationController
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "apps/v1 Deployment":
		var o appsv1.Deployment
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "apps/v1 StatefulSet":
		var o appsv1.StatefulSet
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "apps/v1 DaemonSet":
		var o appsv1.DaemonSet
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "apps/v1 ReplicaSet":
		var o appsv1.ReplicaSet
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "batch/v1 Job":
		var o batchv1.Job
		strict(&o)
		return one(o.Spec.Template.ObjectMeta, o.Spec.Template.Spec)
	case "batch/v1 CronJob":
		var o batchv1.CronJob
		strict(&o)
		return one(o.Spec.JobTemplate.Spec.Template.ObjectMeta, o.Spec.JobTemplate.Spec.Template.Spec)
	}
	return nil
}

// outrigger runs a command of the proxy with text as its input.
func outrigger(t *testing.T, text []byte, args ...string) []byte {
	t.Helper()
	out, problem, err := tryOutrigger(text, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, problem)
	}
	return out
}

func tryOutrigger(text []byte, args ...string) (out []byte, problem string, err error) {
	var stderr bytes.Buffer
	command := exec.Command(os.Getenv("OUTRIGGER"), args...)
	command.Stdin, command.Stderr = bytes.NewReader(text), &stderr
	out, err = command.Output()
	return out, stderr.String(), err
}

func shapes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("shapes/*")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d shapes, %v", len(files), err)
	}
	return files
}

// TestInjectShapes injects every shape and reads the result as strictly as an API server would: our container is first,
// the rest of the pod is what it was, a second pass changes nothing, and uninject gives the bytes back.
func TestInjectShapes(t *testing.T) {
	for _, file := range shapes(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			after := outrigger(t, before, "inject")
			was, is := pods(t, before), pods(t, after)
			if len(was) != len(is) {
				t.Fatalf("%d pods became %d", len(was), len(is))
			}
			for i := range is {
				checkInjected(t, was[i], is[i])
			}
			if again := outrigger(t, after, "inject"); !bytes.Equal(again, after) {
				t.Error("a second pass changes it")
			}
			if back := outrigger(t, after, "uninject"); !bytes.Equal(back, before) {
				t.Errorf("uninject gives something else:\n%s", back)
			}
			if same := outrigger(t, before, "uninject"); !bytes.Equal(same, before) {
				t.Error("uninject changes what was never injected")
			}
		})
	}
}

func checkInjected(t *testing.T, was, is template) {
	t.Helper()
	if was.meta.Annotations["outrigger.dev/inject"] == "false" || was.spec.HostNetwork {
		if len(is.spec.InitContainers) != len(was.spec.InitContainers) {
			t.Errorf("%s: was to be left alone", is.name)
		}
		return
	}
	ours := []string{"outrigger"}
	inbound, outbound := was.meta.Annotations["outrigger.dev/capture-inbound"], was.meta.Annotations["outrigger.dev/capture-outbound"]
	if inbound+outbound != "" {
		ours = []string{"outrigger-capture", "outrigger"}
	}
	if !slices.Equal(names(is.spec.InitContainers), append(ours, names(was.spec.InitContainers)...)) {
		t.Fatalf("%s: init containers %v", is.name, names(is.spec.InitContainers))
	}
	sidecar := is.spec.InitContainers[len(ours)-1]
	checkProbes(t, was, is, sidecar)
	if len(ours) > 1 {
		checkCapture(t, is.spec.InitContainers[0], sidecar, inbound, outbound)
	}
	if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("%s: not a native sidecar", is.name)
	}
	if sidecar.StartupProbe == nil || sidecar.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s: no startup probe, or no resources", is.name)
	}
	if err := lockedDown(sidecar); err != nil {
		t.Errorf("%s: %v", is.name, err)
	}
	if !slices.Equal(names(is.spec.Containers), names(was.spec.Containers)) {
		t.Errorf("%s: other containers changed", is.name)
	}
	for _, mount := range sidecar.VolumeMounts {
		if !slices.ContainsFunc(is.spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			t.Errorf("%s: no volume for %s", is.name, mount.MountPath)
		}
	}
	for _, volume := range was.spec.Volumes {
		if !slices.ContainsFunc(is.spec.Volumes, func(v corev1.Volume) bool { return v.Name == volume.Name }) {
			t.Errorf("%s: lost the volume %s", is.name, volume.Name)
		}
	}
}

// checkProbes: those of taken ports ask the sidecar, which is told of them, and no other changed.
func checkProbes(t *testing.T, was, is template, sidecar corev1.Container) {
	t.Helper()
	taken := strings.Split(was.meta.Annotations["outrigger.dev/capture-inbound"]+","+was.meta.Annotations["outrigger.dev/probe-ports"], ",")
	told := ""
	for _, e := range sidecar.Env {
		if e.Name == "OUTRIGGER_PROBES" {
			told = e.Value
		}
	}
	for i := range was.spec.Containers {
		before, after := was.spec.Containers[i], is.spec.Containers[i]
		for _, pair := range [][2]*corev1.Probe{{before.StartupProbe, after.StartupProbe}, {before.ReadinessProbe, after.ReadinessProbe}, {before.LivenessProbe, after.LivenessProbe}} {
			if pair[0] == nil {
				continue
			}
			want := pair[0].DeepCopy()
			if path := probePath(before, pair[0].ProbeHandler, taken); path != "" {
				want.ProbeHandler = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: sidecar.StartupProbe.HTTPGet.Port}}
				if !slices.Contains(strings.Fields(told), path) {
					t.Errorf("%s: the sidecar is told %q, expected %q in it", is.name, told, path)
				}
			}
			got := pair[1].DeepCopy()
			undefault(want)
			undefault(got)
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s: container %s has the probe %+v, expected %+v", is.name, before.Name, got.ProbeHandler, want.ProbeHandler)
			}
		}
	}
}

// undefault takes out what an API server sets where nothing is written.
func undefault(p *corev1.Probe) {
	p.TimeoutSeconds, p.PeriodSeconds, p.SuccessThreshold, p.FailureThreshold = 0, 0, 0, 0
	if p.GRPC != nil && p.GRPC.Service != nil && *p.GRPC.Service == "" {
		p.GRPC.Service = nil
	}
	if p.HTTPGet != nil && p.HTTPGet.Scheme == corev1.URISchemeHTTP {
		p.HTTPGet.Scheme = ""
	}
}

// probePath is what the sidecar is asked in the place of a probe; "" when its port is not taken.
func probePath(c corev1.Container, h corev1.ProbeHandler, taken []string) string {
	number := func(port intstr.IntOrString) string {
		for _, p := range c.Ports {
			if port.Type == intstr.String && p.Name == port.StrVal {
				return fmt.Sprint(p.ContainerPort)
			}
		}
		return port.String()
	}
	kind, port, rest := "", "", ""
	switch {
	case h.GRPC != nil:
		kind, port, rest = "grpc", fmt.Sprint(h.GRPC.Port), "/"
		if h.GRPC.Service != nil {
			rest += *h.GRPC.Service
		}
	case h.HTTPGet != nil:
		kind, port, rest = "http", number(h.HTTPGet.Port), "/"+strings.TrimPrefix(h.HTTPGet.Path, "/")
	case h.TCPSocket != nil:
		kind, port = "tcp", number(h.TCPSocket.Port)
	}
	if !slices.Contains(taken, port) {
		return ""
	}
	return "/probe/" + kind + "/" + port + rest
}

// checkCapture: root and NET_ADMIN, for it alone, and it lets the sidecar's own connections pass.
func checkCapture(t *testing.T, capture, sidecar corev1.Container, inbound, outbound string) {
	t.Helper()
	security := capture.SecurityContext
	if security == nil || *security.RunAsUser != 0 || *security.RunAsNonRoot || *security.AllowPrivilegeEscalation ||
		!slices.Equal(security.Capabilities.Add, []corev1.Capability{"NET_ADMIN"}) ||
		!slices.Equal(security.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("the security context of %s: %+v", capture.Name, security)
	}
	if capture.RestartPolicy != nil || capture.Image != sidecar.Image || *sidecar.SecurityContext.RunAsUser == 0 {
		t.Errorf("%s or its sidecar: %+v, %+v", capture.Name, capture, sidecar.SecurityContext)
	}
	args := strings.Join(capture.Args, " ")
	for _, want := range []string{"capture", option("--inbound", inbound, " --to-inbound 8443"), option("--outbound", outbound, " --to-outbound 15001"),
		fmt.Sprintf("--uid %d", *sidecar.SecurityContext.RunAsUser)} {
		if !strings.Contains(args, want) {
			t.Errorf("%s runs %q, expected %q in it", capture.Name, args, want)
		}
	}
}

func option(name, value, more string) string {
	if value == "" {
		return ""
	}
	return name + " " + value + more
}

func names(containers []corev1.Container) []string {
	var all []string
	for _, c := range containers {
		all = append(all, c.Name)
	}
	return all
}

// A server gives manifests back without comments; uninject finds its parts by their names then.
func TestUninjectWithoutComments(t *testing.T) {
	for _, file := range []string{"shapes/36-probes-captured.json", "shapes/01-deployment.yaml", "shapes/04-own-init-container.yaml", "shapes/05-volumes-first.yaml"} {
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, line := range strings.SplitAfter(string(outrigger(t, before, "inject")), "\n") {
			if !strings.Contains(line, "# outrigger:") {
				lines = append(lines, line)
			}
		}
		if back := outrigger(t, []byte(strings.Join(lines, "")), "uninject"); !bytes.Equal(back, before) {
			t.Errorf("%s: uninject gives something else:\n%s", file, back)
		}
	}
}

func TestInjectAnnotations(t *testing.T) {
	text, err := os.ReadFile("shapes/23-tuned.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pod := pods(t, outrigger(t, text, "inject"))[0].spec
	sidecar := pod.InitContainers[0]
	if !strings.HasPrefix(sidecar.Image, "registry.example:5000/outrigger@sha256:") {
		t.Error("image:", sidecar.Image)
	}
	if sidecar.StartupProbe.HTTPGet.Port.IntValue() != 19901 {
		t.Error("admin port:", sidecar.StartupProbe.HTTPGet.Port)
	}
	var ports []int32
	for _, p := range sidecar.Ports {
		ports = append(ports, p.ContainerPort)
	}
	if !slices.Equal(ports, []int32{8443, 9443, 19901}) {
		t.Error("ports:", ports)
	}
	if sidecar.Resources.Limits.Cpu().String() != "1" || sidecar.Resources.Limits.Memory().String() != "256Mi" {
		t.Error("limits:", sidecar.Resources.Limits)
	}
	if !slices.ContainsFunc(sidecar.Env, func(e corev1.EnvVar) bool { return e.Name == "OUTRIGGER_POLICY" && e.Value == "guard" }) {
		t.Error("no policy in", sidecar.Env)
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil && v.ConfigMap.Name != "order-outrigger" || v.Secret != nil && v.Secret.SecretName != "order-tls" {
			t.Errorf("volume %+v", v)
		}
	}
}

// targetPorts of the Services of a manifest, as "name/port targetPort".
func targetPorts(t *testing.T, text []byte) (all []string) {
	t.Helper()
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		var service corev1.Service
		if err != nil || yaml.Unmarshal(document, &service) != nil || service.Kind != "Service" {
			continue
		}
		if err := decode(document, &service); err != nil {
			t.Errorf("%s: %v", service.Name, err)
		}
		for _, p := range service.Spec.Ports {
			all = append(all, fmt.Sprintf("%s/%d %s", service.Name, p.Port, p.TargetPort.String()))
		}
	}
}

// A Service that selects a workload with the sidecar leads to the sidecar, where it led to the port of the app before.
func TestInjectMovesServices(t *testing.T) {
	text, err := os.ReadFile("shapes/37-service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "---\napiVersion: v1\nkind: Service\nmetadata: { name: elsewhere, namespace: other }\n"+
		"spec:\n  selector: { app: payment }\n  ports: [ { port: 50051 } ]\n"...)
	want := []string{"payment/50051 8443", "payment/80 8443", "payment/81 8443", "payment/9090 9090", "payment-same/50051 8443", "payment-flow/50051 8443",
		"payment-headless/50051 8443", "payment-headless/50052 8443", "payment-headless/9090 0", "others/50051 0", "bare/50051 0", "elsewhere/50051 0"}
	after := outrigger(t, text, "inject")
	if got := targetPorts(t, after); !slices.Equal(got, want) {
		t.Errorf("%q, expected %q", got, want)
	}
	// a Service that comes later finds the sidecar that is there
	name, rest, _ := bytes.Cut(text, []byte("\n---\n"))
	late := append(append(name, "\n---\n"...), outrigger(t, rest, "inject")...)
	if got := targetPorts(t, outrigger(t, late, "inject")); !slices.Equal(got, want) {
		t.Errorf("later: %q, expected %q", got, want)
	}
	// ports of the app from the configuration in the place of the annotation
	config := filepath.Join(t.TempDir(), "outrigger.yaml")
	if err := os.WriteFile(config, []byte("version: 1\ninbound: [ { listen: \"0.0.0.0:7443\", tls: off, forward: \"127.0.0.1:50051\" } ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain := bytes.ReplaceAll(text, []byte("outrigger.dev/app-ports: \"50051\", "), nil)
	if got := targetPorts(t, outrigger(t, plain, "inject")); got[0] != "payment/50051 50051" {
		t.Errorf("without app-ports: %q", got)
	}
	if got := targetPorts(t, outrigger(t, plain, "inject", "-c", config)); got[0] != "payment/50051 7443" || got[3] != "payment/9090 9090" {
		t.Errorf("with -c: %q", got)
	}
}

func TestInjectTakesPortsFromTheConfiguration(t *testing.T) {
	config := filepath.Join(t.TempDir(), "outrigger.yaml")
	if err := os.WriteFile(config, []byte("version: 1\nadmin: { listen: 127.0.0.1:9990 }\n"+
		"inbound: [ { listen: \"0.0.0.0:7443\", tls: off, forward: \"127.0.0.1:50051\" } ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("shapes/01-deployment.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sidecar := pods(t, outrigger(t, text, "inject", "-c", config))[0].spec.InitContainers[0]
	if sidecar.Ports[0].ContainerPort != 7443 || sidecar.LivenessProbe.HTTPGet.Port.IntValue() != 9990 {
		t.Errorf("ports %v, probe %v", sidecar.Ports, sidecar.LivenessProbe.HTTPGet.Port)
	}
}

// What cannot be done is said, with the place, and nothing is written.
func TestInjectRefuses(t *testing.T) {
	const head = "apiVersion: v1\nkind: Pod\nmetadata: { name: order"
	for text, want := range map[string]string{
		head + " }\nspec:\n  containers: [\n":                                                                        "6:1:",
		"{{ if .Values.on }}\na: b\n{{ end }}\n":                                                                     "1:",
		head + " }\nspec: {}\n":                                                                                      "no list of containers",
		head + " }\nspec:\n  containers: [ { name: a } ]\n  volumes: null\n":                                         "volumes",
		head + ", annotations: { outrigger.dev/ports: none } }\nspec:\n  containers: [ { name: a } ]\n":              "outrigger.dev/ports: \"none\"",
		head + ", annotations: { outrigger.dev/ports: \"0\" } }\nspec:\n  containers: [ { name: a } ]\n":             "outrigger.dev/ports",
		head + ", annotations: { outrigger.dev/image: \"a b\" } }\nspec:\n  containers: [ { name: a } ]\n":           "outrigger.dev/image",
		head + ", annotations: { outrigger.dev/capture-inbound: \"1,1\" } }\nspec:\n  containers: [ { name: a } ]\n": "outrigger.dev/capture-inbound: \"1,1\", expected ports",
		head + ", annotations: { outrigger.dev/capture-inbound: \"1\" } }\nspec:\n  containers: [ { name: a, livenessProbe: { httpGet: { port: 1, scheme: HTTPS } } } ]\n":                          "container a: its probe of a captured port has scheme HTTPS",
		head + ", annotations: { outrigger.dev/capture-inbound: \"1\" } }\nspec:\n  containers: [ { name: a, livenessProbe: { httpGet: { port: 1, httpHeaders: [ { name: a, value: b } ] } } } ]\n": "container a: its probe of a captured port has httpHeaders",
		head + ", annotations: { outrigger.dev/uid: \"0\" } }\nspec:\n  containers: [ { name: a } ]\n":                                                                                              "outrigger.dev/uid: \"0\"",
		head + ", annotations: { outrigger.dev/imaeg: \"a\" } }\nspec:\n  containers: [ { name: a } ]\n":                                                                                            "outrigger.dev/imaeg: not known",
		"a: &x { containers: [ { name: a } ] }\napiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: *x\n":                                                                                       "alias",
	} {
		out, problem, err := tryOutrigger([]byte(text), "inject")
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || len(out) > 0 || !strings.Contains(problem, want) {
			t.Errorf("%q: %v, %d bytes, %q; want %q", text, err, len(out), problem, want)
		}
	}
}
