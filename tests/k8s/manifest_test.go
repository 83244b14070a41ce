// Package k8s reads the manifests in k8s/ as strictly as an API server that validates fields, and checks what no schema
// knows: that names lead somewhere, that every container is locked down, that the proxy accepts its configuration.
package k8s

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const folder = "../../k8s"

// manifest is what the documents of some YAML hold, by kind, namespace and name.
type manifest map[string]metav1.Object

// add decodes one document into the type of its kind; a field that the type does not have is an error. An object that is
// there already is replaced, as `kubectl apply` does.
func (m manifest) add(document []byte) error {
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	object := newObject(meta.APIVersion + " " + meta.Kind)
	if object == nil {
		return errors.New("no type is known for " + meta.APIVersion + " " + meta.Kind)
	}
	if err := decode(document, object); err != nil {
		return err
	}
	m[meta.Kind+" "+object.GetNamespace()+" "+object.GetName()] = object
	return nil
}

func newObject(kind string) metav1.Object {
	switch kind {
	case "v1 Namespace":
		return &corev1.Namespace{}
	case "v1 ServiceAccount":
		return &corev1.ServiceAccount{}
	case "v1 ConfigMap":
		return &corev1.ConfigMap{}
	case "v1 Secret":
		return &corev1.Secret{}
	case "v1 PersistentVolumeClaim":
		return &corev1.PersistentVolumeClaim{}
	case "v1 Service":
		return &corev1.Service{}
	case "apps/v1 Deployment":
		return &appsv1.Deployment{}
	case "apps/v1 StatefulSet":
		return &appsv1.StatefulSet{}
	case "policy/v1 PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "networking.k8s.io/v1 NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "networking.k8s.io/v1 Ingress":
		return &networkingv1.Ingress{}
	case "rbac.authorization.k8s.io/v1 Role":
		return &rbacv1.Role{}
	case "rbac.authorization.k8s.io/v1 RoleBinding":
		return &rbacv1.RoleBinding{}
	case "cert-manager.io/v1 Issuer":
		return &certmanagerv1.Issuer{}
	case "cert-manager.io/v1 Certificate":
		return &certmanagerv1.Certificate{}
	}
	return nil
}

// each returns the objects of one type, in the order of their names.
func each[T metav1.Object](m manifest) []T {
	var all []T
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if object, is := m[key].(T); is {
			all = append(all, object)
		}
	}
	return all
}

// find returns the object of a type with that name, or nil.
func find[T metav1.Object](m manifest, name string) (found T, there bool) {
	for _, object := range each[T](m) {
		if object.GetName() == name {
			return object, true
		}
	}
	return found, false
}

func has[T metav1.Object](m manifest, name string) bool {
	_, there := find[T](m, name)
	return there
}

// workload is what runs pods.
type workload struct {
	name     string
	pod      *corev1.PodTemplateSpec
	selector *metav1.LabelSelector
	claims   []corev1.PersistentVolumeClaim
}

func (m manifest) workloads() []workload {
	var all []workload
	for _, d := range each[*appsv1.Deployment](m) {
		all = append(all, workload{d.Name, &d.Spec.Template, d.Spec.Selector, nil})
	}
	for _, s := range each[*appsv1.StatefulSet](m) {
		all = append(all, workload{s.Name, &s.Spec.Template, s.Spec.Selector, s.Spec.VolumeClaimTemplates})
	}
	return all
}

// selected returns the workloads whose pods have these labels.
func (m manifest) selected(t *testing.T, selector *metav1.LabelSelector) []workload {
	t.Helper()
	matches, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(m.workloads(), func(w workload) bool { return !matches.Matches(labelsOf(w)) })
}

// containers returns all of a pod, the sidecar among them.
func (w workload) containers() []corev1.Container {
	return slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers)
}

// sidecar returns ours, or nil.
func (w workload) sidecar() *corev1.Container {
	for i := range w.pod.Spec.InitContainers {
		if w.pod.Spec.InitContainers[i].Name == "outrigger" {
			return &w.pod.Spec.InitContainers[i]
		}
	}
	return nil
}

// decode is as strict as the API server: unknown fields, wrong case and duplicates are errors.
func decode(document []byte, object any) error {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	strict, err := json.UnmarshalStrict(text, object)
	return errors.Join(append(strict, err)...)
}

// read adds all documents of a text.
func (m manifest) read(t *testing.T, text []byte) {
	t.Helper()
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		if err := m.add(document); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
	}
}

// secrets is what k8s/secrets prints.
func secrets(t *testing.T, args ...string) []byte {
	t.Helper()
	command := exec.Command(filepath.Join(folder, "secrets"), args...)
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestStrictParserRefusesATypo(t *testing.T) {
	m := manifest{}
	for _, document := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { clusterIp: None }\n",
		"apiVersion: v1\nkind: Service\nmetadata: { name: a }\nmetadata: { name: b }\n",
		"apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: { name: a }\nspec: { secretName: a, issuerRef: { name: b }, uri: [] }\n",
		"apiVersion: v2\nkind: Service\n",
	} {
		if m.add([]byte(document)) == nil {
			t.Errorf("accepted:\n%s", document)
		}
	}
}

// The authority of k8s/secrets stays when it is told where.
func TestSecretsKeepTheirAuthority(t *testing.T) {
	authority := filepath.Join(t.TempDir(), "authority")
	roots := map[string]bool{}
	for range 2 {
		m := manifest{}
		m.read(t, secrets(t, "--authority", authority, "certificates"))
		if secret, there := find[*corev1.Secret](m, "order-tls"); !there || has[*corev1.Secret](m, "order-database") {
			t.Fatal("not the certificates")
		} else {
			roots[string(secret.Data["ca.crt"])] = true
		}
	}
	if len(roots) != 1 {
		t.Error("another authority the second time")
	}
	if info, err := os.Stat(filepath.Join(authority, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error("the key of the authority:", err, info)
	}
	if !strings.Contains(string(secrets(t, "database")), "postgres://order:") {
		t.Error("no URL of the database")
	}
}
