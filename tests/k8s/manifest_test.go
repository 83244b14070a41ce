// Package k8s reads the manifests in k8s/ as strictly as an API server that validates fields, and checks what no schema
// knows: that names lead somewhere, that every container is locked down, that the proxy accepts its configuration.
package k8s

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const folder = "../../k8s"

// manifest is what the documents of some YAML hold.
type manifest struct {
	configMaps []*corev1.ConfigMap
	secrets    []*corev1.Secret
	claims     []*corev1.PersistentVolumeClaim
	accounts   []*corev1.ServiceAccount
	services   []*corev1.Service
	pods       map[string]*corev1.PodTemplateSpec // by the name of the workload
}

// add decodes one document into the type of its kind; a field that the type does not have is an error.
func (m *manifest) add(document []byte) error {
	var meta metav1.TypeMeta
	if err := yaml.Unmarshal(document, &meta); err != nil {
		return err
	}
	var object any
	var keep func()
	switch meta.APIVersion + " " + meta.Kind {
	case "v1 Namespace":
		object = &corev1.Namespace{}
	case "v1 ServiceAccount":
		account := &corev1.ServiceAccount{}
		object, keep = account, func() { m.accounts = append(m.accounts, account) }
	case "v1 ConfigMap":
		config := &corev1.ConfigMap{}
		object, keep = config, func() { m.configMaps = append(m.configMaps, config) }
	case "v1 Secret":
		secret := &corev1.Secret{}
		object, keep = secret, func() { m.secrets = append(m.secrets, secret) }
	case "v1 PersistentVolumeClaim":
		claim := &corev1.PersistentVolumeClaim{}
		object, keep = claim, func() { m.claims = append(m.claims, claim) }
	case "v1 Service":
		service := &corev1.Service{}
		object, keep = service, func() { m.services = append(m.services, service) }
	case "apps/v1 Deployment":
		deployment := &appsv1.Deployment{}
		object, keep = deployment, func() { m.pods[deployment.Name] = &deployment.Spec.Template }
	case "apps/v1 StatefulSet":
		set := &appsv1.StatefulSet{}
		object, keep = set, func() { m.pods[set.Name] = &set.Spec.Template }
	case "policy/v1 PodDisruptionBudget":
		object = &policyv1.PodDisruptionBudget{}
	case "networking.k8s.io/v1 NetworkPolicy":
		object = &networkingv1.NetworkPolicy{}
	default:
		return errors.New("no type is known for " + meta.APIVersion + " " + meta.Kind)
	}
	if err := decode(document, object); err != nil {
		return err
	}
	if keep != nil {
		keep()
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

func read(t *testing.T, text []byte) *manifest {
	t.Helper()
	m := &manifest{pods: map[string]*corev1.PodTemplateSpec{}}
	reader := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return m
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

func shop(t *testing.T) *manifest {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return read(t, text)
}

func secrets(t *testing.T) *manifest {
	t.Helper()
	command := exec.Command(filepath.Join(folder, "secrets"))
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	return read(t, text)
}

func TestStrictParserRefusesATypo(t *testing.T) {
	m := &manifest{}
	for _, document := range []string{
		"apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { clusterIp: None }\n",
		"apiVersion: v1\nkind: Service\nmetadata: { name: a }\nmetadata: { name: b }\n",
		"apiVersion: v2\nkind: Service\n",
	} {
		if m.add([]byte(document)) == nil {
			t.Errorf("accepted:\n%s", document)
		}
	}
}

func TestEveryNameLeadsSomewhere(t *testing.T) {
	m := shop(t)
	if len(m.pods) != 2 {
		t.Fatalf("%d workloads", len(m.pods))
	}
	m.secrets = secrets(t).secrets
	for name, pod := range m.pods {
		if !slices.ContainsFunc(m.accounts, func(a *corev1.ServiceAccount) bool { return a.Name == pod.Spec.ServiceAccountName }) {
			t.Errorf("%s: no service account %s", name, pod.Spec.ServiceAccountName)
		}
		for _, volume := range pod.Spec.Volumes {
			if !m.hasSource(volume) {
				t.Errorf("%s: volume %s has no source in the manifest", name, volume.Name)
			}
		}
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			for _, mount := range container.VolumeMounts {
				if !slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
					t.Errorf("%s: %s mounts %s, which is no volume", name, container.Name, mount.Name)
				}
			}
		}
	}
}

func (m *manifest) hasSource(volume corev1.Volume) bool {
	switch {
	case volume.ConfigMap != nil:
		return slices.ContainsFunc(m.configMaps, func(c *corev1.ConfigMap) bool { return c.Name == volume.ConfigMap.Name })
	case volume.Secret != nil:
		return slices.ContainsFunc(m.secrets, func(s *corev1.Secret) bool { return s.Name == volume.Secret.SecretName })
	case volume.PersistentVolumeClaim != nil:
		return slices.ContainsFunc(m.claims, func(c *corev1.PersistentVolumeClaim) bool {
			return c.Name == volume.PersistentVolumeClaim.ClaimName
		})
	}
	return false
}

func TestServicesReachAPortOfAPod(t *testing.T) {
	m := shop(t)
	for _, service := range m.services {
		for _, port := range service.Spec.Ports {
			if !m.hasPort(service.Spec.Selector, port.TargetPort.StrVal) {
				t.Errorf("service %s: no pod has the port %s", service.Name, port.TargetPort.StrVal)
			}
		}
	}
}

func (m *manifest) hasPort(selector map[string]string, name string) bool {
	for workload, pod := range m.pods {
		has := labels.Set(pod.Labels)
		if named, ok := selector[appsv1.StatefulSetPodNameLabel]; ok {
			for _, ordinal := range []string{"-0", "-1", "-2"} {
				if workload+ordinal == named {
					has = labels.Merge(has, labels.Set{appsv1.StatefulSetPodNameLabel: named})
				}
			}
		}
		if !labels.SelectorFromSet(selector).Matches(has) {
			continue
		}
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == name }) {
				return true
			}
		}
	}
	return false
}
