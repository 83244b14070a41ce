package k8s

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// stacks are the folders of overlays/ that a user applies one after the other, as k8s/README.md tells.
var stacks = map[string][]string{
	"local":           {"local"},
	"cert-manager":    {"cert-manager"},
	"ingress":         {"local", "ingress"},
	"canary":          {"local", "canary/pods", "canary/header"},
	"canary-5":        {"local", "canary/step-5"},
	"canary-50":       {"cert-manager", "canary/step-50"},
	"canary-promoted": {"local", "canary/step-50", "canary/promote"},
	"blue":            {"local", "blue-green/blue", "blue-green/green", "blue-green/to-blue"},
	"green":           {"cert-manager", "blue-green/blue", "blue-green/green", "blue-green/to-green"},
}

// build is `kustomize build`.
func build(t *testing.T, dir string) []byte {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(folder, dir))
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	text, err := made.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// applied are the stacks that were built already; tests only read them.
var applied = map[string]manifest{}

// apply returns what lies in the cluster when a stack is applied, with sidecars and Secrets.
func apply(t *testing.T, name string) manifest {
	t.Helper()
	if m, there := applied[name]; there {
		return m
	}
	m := manifest{}
	for _, dir := range stacks[name] {
		m.read(t, outrigger(t, build(t, filepath.Join("overlays", dir)), "inject"))
	}
	if len(each[*certmanagerv1.Certificate](m)) > 0 {
		m.read(t, secrets(t, "database"))
	} else {
		m.read(t, secrets(t))
	}
	applied[name] = m
	return m
}

func forEachStack(t *testing.T, check func(t *testing.T, m manifest)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(stacks)) {
		t.Run(name, func(t *testing.T) { check(t, apply(t, name)) })
	}
}

// Each folder with a kustomization is built by some test: by itself or as part of an overlay of a stack.
func TestEveryOverlayIsInAStack(t *testing.T) {
	var listed []string
	for _, dirs := range stacks {
		listed = append(listed, dirs...)
	}
	root := filepath.Join(folder, "overlays")
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "kustomization.yaml" {
			return err
		}
		if dir, _ := filepath.Rel(root, filepath.Dir(path)); !slices.Contains(listed, filepath.ToSlash(dir)) {
			t.Error("in no stack:", dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func labelsOf(w workload) labels.Set { return labels.Set(w.pod.Labels) }

func TestNamesOfPodsLeadSomewhere(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		if len(m.workloads()) < 4 {
			t.Fatalf("%d workloads", len(m.workloads()))
		}
		for _, w := range m.workloads() {
			if !has[*corev1.ServiceAccount](m, w.pod.Spec.ServiceAccountName) {
				t.Errorf("%s: no service account %s", w.name, w.pod.Spec.ServiceAccountName)
			}
			if selector, err := metav1.LabelSelectorAsSelector(w.selector); err != nil || !selector.Matches(labelsOf(w)) {
				t.Errorf("%s: its selector does not match its pods: %v", w.name, err)
			}
			for _, volume := range w.pod.Spec.Volumes {
				if !m.hasSource(volume) {
					t.Errorf("%s: volume %s has no source in the manifest", w.name, volume.Name)
				}
			}
			for _, container := range w.containers() {
				for _, problem := range slices.Concat(m.lostMounts(w, container), m.lostVariables(container)) {
					t.Errorf("%s: %s: %s", w.name, container.Name, problem)
				}
			}
		}
	})
}

// hasSource looks in the certificates too: what they write becomes a Secret.
func (m manifest) hasSource(volume corev1.Volume) bool {
	switch {
	case volume.ConfigMap != nil:
		config, there := find[*corev1.ConfigMap](m, volume.ConfigMap.Name)
		return there && config.Data[configKey] != ""
	case volume.Secret != nil:
		return m.hasSecret(volume.Secret.SecretName)
	case volume.PersistentVolumeClaim != nil:
		return has[*corev1.PersistentVolumeClaim](m, volume.PersistentVolumeClaim.ClaimName)
	}
	return volume.EmptyDir != nil
}

func (m manifest) hasSecret(name string) bool {
	return has[*corev1.Secret](m, name) || slices.ContainsFunc(each[*certmanagerv1.Certificate](m), func(c *certmanagerv1.Certificate) bool {
		return c.Spec.SecretName == name
	})
}

func (m manifest) lostMounts(w workload, container corev1.Container) (lost []string) {
	for _, mount := range container.VolumeMounts {
		isVolume := slices.ContainsFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		isClaim := slices.ContainsFunc(w.claims, func(c corev1.PersistentVolumeClaim) bool { return c.Name == mount.Name })
		if !isVolume && !isClaim {
			lost = append(lost, "mounts "+mount.Name+", which is no volume")
		}
	}
	return lost
}

func (m manifest) lostVariables(container corev1.Container) (lost []string) {
	for _, variable := range container.Env {
		if variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil {
			continue
		}
		ref := variable.ValueFrom.SecretKeyRef
		if secret, there := find[*corev1.Secret](m, ref.Name); !there || secret.StringData[ref.Key] == "" {
			lost = append(lost, variable.Name+" is of no Secret")
		}
	}
	return lost
}

func hasPort(w workload, port intstr.IntOrString) bool {
	for _, container := range w.containers() {
		if slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool {
			return p.Name == port.StrVal && port.Type == intstr.String || p.ContainerPort == port.IntVal && port.Type == intstr.Int
		}) {
			return true
		}
	}
	return false
}

func TestServicesReachAPortOfAPod(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, service := range each[*corev1.Service](m) {
			pods := m.selected(t, &metav1.LabelSelector{MatchLabels: service.Spec.Selector})
			if len(pods) != 1 {
				t.Errorf("service %s: pods of %d workloads", service.Name, len(pods))
			}
			for _, w := range pods {
				for _, port := range service.Spec.Ports {
					if !hasPort(w, port.TargetPort) {
						t.Errorf("service %s: %s has no port %s", service.Name, w.name, port.TargetPort.String())
					}
				}
			}
		}
		for _, set := range each[*appsv1.StatefulSet](m) {
			if !has[*corev1.Service](m, set.Spec.ServiceName) {
				t.Errorf("%s: no service %s", set.Name, set.Spec.ServiceName)
			}
		}
	})
}

// Whoever selects pods selects some; whoever opens a port opens one that they have.
func TestSelectorsFindPods(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, budget := range each[*policyv1.PodDisruptionBudget](m) {
			if pods := m.selected(t, budget.Spec.Selector); len(pods) != 1 {
				t.Errorf("budget %s: pods of %d workloads", budget.Name, len(pods))
			}
		}
		for _, policy := range each[*networkingv1.NetworkPolicy](m) {
			pods := m.selected(t, &policy.Spec.PodSelector)
			if len(pods) == 0 {
				t.Errorf("network policy %s: no pods", policy.Name)
			}
			for _, rule := range policy.Spec.Ingress {
				m.checkPeers(t, policy.Name, rule.From)
				for _, w := range pods {
					checkPorts(t, policy.Name, w, rule.Ports)
				}
			}
			for _, rule := range policy.Spec.Egress {
				for _, w := range m.checkPeers(t, policy.Name, rule.To) {
					checkPorts(t, policy.Name, w, rule.Ports)
				}
			}
		}
	})
}

// checkPeers returns the workloads of this namespace that a rule names.
func (m manifest) checkPeers(t *testing.T, policy string, peers []networkingv1.NetworkPolicyPeer) []workload {
	t.Helper()
	var all []workload
	for _, peer := range peers {
		if peer.NamespaceSelector != nil || peer.PodSelector == nil {
			continue
		}
		pods := m.selected(t, peer.PodSelector)
		if len(pods) == 0 {
			t.Errorf("network policy %s: a peer that is no pod", policy)
		}
		all = append(all, pods...)
	}
	return all
}

func checkPorts(t *testing.T, policy string, w workload, ports []networkingv1.NetworkPolicyPort) {
	t.Helper()
	for _, port := range ports {
		if port.Port == nil || !hasPort(w, *port.Port) {
			t.Errorf("network policy %s: %s has no port %v", policy, w.name, port.Port)
		}
	}
}

// What nobody opened is closed.
func TestEverythingElseIsDenied(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		policy, there := find[*networkingv1.NetworkPolicy](m, "default-deny")
		if !there || len(policy.Spec.PolicyTypes) != 2 || len(policy.Spec.Ingress)+len(policy.Spec.Egress) > 0 ||
			len(m.selected(t, &policy.Spec.PodSelector)) != len(m.workloads()) {
			t.Errorf("%+v", policy)
		}
	})
}

func TestRightsAreThoseOfDiscovery(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, role := range each[*rbacv1.Role](m) {
			if said := fmt.Sprint(role.Rules); said != fmt.Sprint([]rbacv1.PolicyRule{{Verbs: []string{"get", "list", "watch"},
				APIGroups: []string{"discovery.k8s.io"}, Resources: []string{"endpointslices"}}}) {
				t.Errorf("role %s: %s", role.Name, said)
			}
		}
		for _, binding := range each[*rbacv1.RoleBinding](m) {
			if binding.RoleRef.Kind != "Role" || !has[*rbacv1.Role](m, binding.RoleRef.Name) {
				t.Errorf("binding %s: no role %s", binding.Name, binding.RoleRef.Name)
			}
			for _, subject := range binding.Subjects {
				if subject.Kind != "ServiceAccount" || subject.Namespace != binding.Namespace || !has[*corev1.ServiceAccount](m, subject.Name) {
					t.Errorf("binding %s: no service account %s", binding.Name, subject.Name)
				}
			}
		}
	})
}

func TestIngressReachesAService(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, ingress := range each[*networkingv1.Ingress](m) {
			for _, pair := range ingress.Spec.TLS {
				if !m.hasSecret(pair.SecretName) {
					t.Errorf("ingress %s: no Secret %s", ingress.Name, pair.SecretName)
				}
			}
			const prefix = "nginx.ingress.kubernetes.io/"
			if secret := ingress.Annotations[prefix+"proxy-ssl-secret"]; secret != "shop/ingress-tls" || !m.hasSecret("ingress-tls") {
				t.Errorf("ingress %s shows the certificate of %s", ingress.Name, secret)
			}
			for _, rule := range ingress.Spec.Rules {
				for _, path := range rule.HTTP.Paths {
					service, there := find[*corev1.Service](m, path.Backend.Service.Name)
					if !there || !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == path.Backend.Service.Port.Name }) {
						t.Errorf("ingress %s: %+v leads nowhere", ingress.Name, path.Backend.Service)
					}
				}
			}
		}
	})
}

// Each certificate has an issuer, is renewed in time with a new key, and its identity is the service account of the pods
// that mount it.
func TestCertificatesAreThoseOfTheirPods(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, c := range each[*certmanagerv1.Certificate](m) {
			if !has[*certmanagerv1.Issuer](m, c.Spec.IssuerRef.Name) {
				t.Errorf("certificate %s: no issuer %s", c.Name, c.Spec.IssuerRef.Name)
			}
			if c.Spec.Duration == nil || c.Spec.RenewBefore == nil || 4*c.Spec.RenewBefore.Duration > 3*c.Spec.Duration.Duration {
				t.Errorf("certificate %s: when is it renewed?", c.Name)
			}
			if rotation := c.Spec.PrivateKey.RotationPolicy; rotation != certmanagerv1.RotationPolicyAlways && !c.Spec.IsCA {
				t.Errorf("certificate %s keeps its key", c.Name)
			}
			for _, w := range m.workloads() {
				mounts := slices.ContainsFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Secret != nil && v.Secret.SecretName == c.Spec.SecretName })
				if want := identity(w); mounts && !slices.Equal(c.Spec.URIs, []string{want}) {
					t.Errorf("certificate %s is of %v, the pods are %s", c.Name, c.Spec.URIs, want)
				}
			}
		}
		for _, issuer := range each[*certmanagerv1.Issuer](m) {
			if issuer.Spec.CA != nil && !m.hasSecret(issuer.Spec.CA.SecretName) {
				t.Errorf("issuer %s: no Secret %s", issuer.Name, issuer.Spec.CA.SecretName)
			}
		}
	})
}

// identity is the SPIFFE id of a workload's pods.
func identity(w workload) string {
	return "spiffe://shop.example/ns/shop/sa/" + w.pod.Spec.ServiceAccountName
}
