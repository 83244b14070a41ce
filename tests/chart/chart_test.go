// Package chart renders the Helm chart of the injection, and holds that it says what `outrigger inject` and k8s/injection
// say.
package chart

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/strvals"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const (
	charts    = "../../k8s/charts"
	injection = "../../k8s/injection"
	namespace = "outrigger-system"
)

// tryTemplate is `helm template --set ...`: the text of each template by its name, the notes among them.
func tryTemplate(t *testing.T, sets ...string) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(filepath.Join(charts, "outrigger-injection"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{}
	for _, set := range sets {
		if err := strvals.ParseInto(set, values); err != nil {
			t.Fatal(err)
		}
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	all, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "outrigger", Namespace: namespace, IsInstall: true}, capabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, text := range rendered {
		if strings.TrimSpace(text) != "" {
			out[filepath.Base(name)] = text
		}
	}
	return out, nil
}

func template(t *testing.T, sets ...string) map[string]string {
	t.Helper()
	out, err := tryTemplate(t, sets...)
	if err != nil {
		t.Fatal(sets, err)
	}
	return out
}

// manifests are the objects of a release, by kind and name.
func manifests(t *testing.T, texts ...string) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{}
	for _, text := range texts {
		reader := documents.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			object := map[string]any{}
			if err := errors.Join(err, yaml.UnmarshalStrict(document, &object)); err != nil {
				t.Fatalf("%v in\n%s", err, document)
			}
			if len(object) > 0 {
				meta := object["metadata"].(map[string]any)
				all[object["kind"].(string)+" "+meta["name"].(string)] = object
			}
		}
	}
	return all
}

// release is what would be sent to the cluster.
func release(t *testing.T, sets ...string) map[string]map[string]any {
	t.Helper()
	out := template(t, sets...)
	delete(out, "NOTES.txt")
	return manifests(t, slices.Collect(maps.Values(out))...)
}

func outrigger(t *testing.T, input string, args ...string) string {
	t.Helper()
	var problem bytes.Buffer
	command := exec.Command(os.Getenv("OUTRIGGER"), args...)
	command.Stdin, command.Stderr = strings.NewReader(input), &problem
	out, err := command.Output()
	if err != nil {
		t.Fatalf("outrigger %v: %v\n%s", args, err, problem.String())
	}
	return string(out)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// With its defaults, and with any values, the chart's policy is byte for byte what `inject --policy` prints.
func TestPolicyIsThatOfInject(t *testing.T) {
	for _, row := range []struct{ sets, settings []string }{
		{nil, nil},
		{[]string{"sidecar.certificates=csi"}, []string{"certificates=csi"}},
		{[]string{"sidecar.certificates=spire"}, []string{"certificates=spire"}},
		{[]string{"sidecar.certificates=none"}, []string{"certificates=none"}},
		{[]string{"sidecar.image=registry.example:5000/outrigger@sha256:0a", "sidecar.config=mine", "sidecar.tlsSecret=own", "sidecar.policy=strict",
			"sidecar.port=7443", "sidecar.adminPort=9990", "sidecar.cpuRequest=100m", "sidecar.memoryRequest=48Mi", "sidecar.memoryLimit=99Mi"},
			[]string{"image=registry.example:5000/outrigger@sha256:0a", "config=mine", "tls-secret=own", "policy=strict",
				"ports=7443", "admin-port=9990", "cpu-request=100m", "memory-request=48Mi", "memory-limit=99Mi"}},
	} {
		args := []string{"inject", "--policy"}
		for _, setting := range row.settings {
			args = append(args, "--set", setting)
		}
		out := template(t, row.sets...)
		if want := outrigger(t, "", args...); strings.TrimSpace(out["policy.yaml"]) != strings.TrimSpace(want) {
			t.Errorf("%v: not what outrigger %v prints:\n%s", row.sets, args, out["policy.yaml"])
		}
		if len(out) != 2 || out["NOTES.txt"] == "" {
			t.Errorf("%v: also %v", row.sets, slices.Collect(maps.Keys(out)))
		}
	}
}

// In the mode webhook the chart's defaults are k8s/injection, but for the arguments; those name the same sidecar.
func TestWebhookIsThatOfInjection(t *testing.T) {
	got := release(t, "mode=webhook", "createNamespace=true")
	want := manifests(t, readFile(t, filepath.Join(injection, "webhook.yaml")), readFile(t, filepath.Join(injection, "certificate.yaml")))
	takeArgs(got)
	args := takeArgs(want)
	if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
		t.Errorf("%v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	for name, object := range want {
		if !reflect.DeepEqual(got[name], object) {
			t.Errorf("%s: %v\nwant %v", name, got[name], object)
		}
	}
	if len(args) < 5 {
		t.Error(args)
	}
}

// takeArgs takes the arguments of the webhook out, and returns them.
func takeArgs(objects map[string]map[string]any) (args []string) {
	spec := objects["Deployment outrigger-webhook"]["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
	container := spec["containers"].([]any)[0].(map[string]any)
	for _, arg := range container["args"].([]any) {
		args = append(args, arg.(string))
	}
	delete(container, "args")
	return args
}

// The arguments of the webhook, given to inject, make the pod that the policy of the same values makes.
func TestWebhookSetsTheSidecar(t *testing.T) {
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec:\n  containers:\n    - name: a\n"
	defaults := takeArgs(release(t, "mode=webhook"))
	if got, want := outrigger(t, pod, append([]string{"inject"}, defaults[5:]...)...), outrigger(t, pod, "inject"); got != want {
		t.Errorf("%v: %s\nwant\n%s", defaults, got, want)
	}
	args := takeArgs(release(t, "mode=webhook", "sidecar.image=other:2", "sidecar.config=mine", "sidecar.certificates=spire", "sidecar.policy=strict",
		"sidecar.port=7443", "sidecar.adminPort=9990", "sidecar.memoryLimit=99Mi"))
	got := outrigger(t, pod, append([]string{"inject"}, args[5:]...)...)
	want := outrigger(t, pod, "inject", "--set", "image=other:2", "--set", "config=mine", "--set", "certificates=spire", "--set", "policy=strict",
		"--set", "ports=7443", "--set", "admin-port=9990", "--set", "memory-limit=99Mi")
	if got != want {
		t.Errorf("%v: %s\nwant\n%s", args, got, want)
	}
}

// Without cert-manager nothing names it, and the API server learns the root from the values.
func TestWebhookWithAGivenCertificate(t *testing.T) {
	out := template(t, "mode=webhook", "webhook.certificate.certManager=false", "webhook.certificate.caBundle=QUJD", "webhook.certificate.secretName=given",
		"webhook.image=other:3", "webhook.replicas=3", "webhook.failurePolicy=Ignore", "webhook.imagePullSecrets[0].name=pull")
	for _, part := range []string{"caBundle: QUJD", "secretName: given", `image: "other:3"`, "replicas: 3", "failurePolicy: Ignore", `imagePullSecrets: [{"name":"pull"}]`} {
		if !strings.Contains(out["webhook.yaml"], part) {
			t.Errorf("no %q in\n%s", part, out["webhook.yaml"])
		}
	}
	if strings.Contains(out["webhook.yaml"], "cert-manager") || out["certificate.yaml"] != "" {
		t.Error("cert-manager is asked all the same")
	}
	if !strings.Contains(out["NOTES.txt"], "the Secret given") {
		t.Error(out["NOTES.txt"])
	}
}

func TestDiscoveryIsAllowedWhereAsked(t *testing.T) {
	got := release(t, "discovery[0].namespace=shop", "discovery[0].serviceAccounts[0]=order", "discovery[0].serviceAccounts[1]=audit")
	rules, subjects := got["Role outrigger-endpoints"]["rules"], got["RoleBinding outrigger-endpoints"]["subjects"]
	if !reflect.DeepEqual(rules, []any{map[string]any{"apiGroups": []any{"discovery.k8s.io"}, "resources": []any{"endpointslices"},
		"verbs": []any{"get", "list", "watch"}}}) {
		t.Error(rules)
	}
	if list, _ := subjects.([]any); len(list) != 2 || list[1].(map[string]any)["name"] != "audit" || list[1].(map[string]any)["namespace"] != "shop" {
		t.Error(subjects)
	}
}

// The schema refuses what the templates would pass on.
func TestSchemaRefusesWhatIsWrong(t *testing.T) {
	for _, set := range []string{"mode=both", "sidecar.imaeg=a", `sidecar.image=a"b`, "sidecar.image=a b", "sidecar.port=0", "sidecar.port=65536",
		"sidecar.config=", "sidecar.certificates=file", "webhook.replicas=0", "webhook.certificate.certManager=false",
		"discovery[0].namespace=shop", "webhook.timeoutSeconds=31"} {
		if _, err := tryTemplate(t, set); err == nil {
			t.Errorf("accepted: %s", set)
		}
	}
	for _, set := range []string{"sidecar.port=1", "sidecar.port=65535", "webhook.timeoutSeconds=30"} {
		if _, err := tryTemplate(t, set); err != nil {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// The chart's version is the binary's.
func TestVersionIsThatOfTheBinary(t *testing.T) {
	chart, err := loader.Load(filepath.Join(charts, "outrigger-injection"))
	if err != nil {
		t.Fatal(err)
	}
	if said := outrigger(t, "", "version"); !strings.Contains(said, chart.Metadata.AppVersion) || chart.Metadata.Version != chart.Metadata.AppVersion {
		t.Errorf("%q, the chart says %s and %s", said, chart.Metadata.Version, chart.Metadata.AppVersion)
	}
}
