package k8s

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

const configKey = "outrigger.yaml"

// How long the example services let calls in flight end, as examples/README.md says.
const graceTime = 10 * time.Second

// sidecarConfig is what the tests look at of a configuration.
type sidecarConfig struct {
	Admin   struct{ Listen string }
	Drain   struct{ Window, Deadline string }
	Inbound []struct {
		Listen, Forward string
		Allow           []struct{ Identity string }
	}
	Outbound []struct {
		Listen string
		Routes []struct{ Authority string }
	}
	Services map[string]struct {
		Endpoints struct {
			Kubernetes struct{ Service, Namespace, Port string }
		}
		Peer struct{ Identity string }
	}
}

func (m manifest) config(t *testing.T, w workload) (c sidecarConfig) {
	t.Helper()
	config, there := find[*corev1.ConfigMap](m, w.pod.Annotations["outrigger.dev/config"])
	if !there {
		t.Fatalf("%s: no configuration", w.name)
	}
	if err := yaml.Unmarshal([]byte(config.Data[configKey]), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// guarded are the workloads with a sidecar.
func (m manifest) guarded() []workload {
	return slices.DeleteFunc(m.workloads(), func(w workload) bool { return w.sidecar() == nil })
}

// Who asks for a sidecar by label has one by `outrigger inject` too, and who has none says so.
func TestSidecarIsNativeFirstAndProbed(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, w := range m.workloads() {
			asks := map[string]bool{"enabled": true, "disabled": false}
			if want, says := asks[w.pod.Labels["outrigger.dev/inject"]]; !says || want != (w.sidecar() != nil) {
				t.Errorf("%s: asks for a sidecar: %v, has one: %v", w.name, w.pod.Labels, w.sidecar() != nil)
			}
		}
		for _, w := range m.guarded() {
			sidecar := w.pod.Spec.InitContainers[0]
			if sidecar.Name != "outrigger" || sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
				t.Errorf("%s: the sidecar would have to end before the service starts", w.name)
			}
			for kind, probe := range map[string]*corev1.Probe{"startup": sidecar.StartupProbe, "readiness": sidecar.ReadinessProbe} {
				if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != "/ready" {
					t.Errorf("%s: the sidecar has no %s probe on /ready", w.name, kind)
				}
			}
		}
	})
}

func TestEveryContainerIsLockedDown(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, w := range m.workloads() {
			all := w.pod.Spec.SecurityContext
			if all == nil || all.RunAsNonRoot == nil || !*all.RunAsNonRoot || all.SeccompProfile == nil ||
				all.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
				t.Errorf("%s: the pod may run as root or without seccomp", w.name)
			}
			for _, container := range w.containers() {
				if err := lockedDown(container); err != nil {
					t.Errorf("%s: %s: %v", w.name, container.Name, err)
				}
			}
		}
	})
}

func lockedDown(container corev1.Container) error {
	own := container.SecurityContext
	switch {
	case own == nil:
		return fmt.Errorf("no security context")
	case own.AllowPrivilegeEscalation == nil || *own.AllowPrivilegeEscalation:
		return fmt.Errorf("may gain privileges")
	case own.ReadOnlyRootFilesystem == nil || !*own.ReadOnlyRootFilesystem:
		return fmt.Errorf("may write to its image")
	case own.Capabilities == nil || !slices.Equal(own.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(own.Capabilities.Add) > 0:
		return fmt.Errorf("keeps capabilities")
	case container.Resources.Requests.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero():
		return fmt.Errorf("asks for no CPU or has no bound of memory")
	}
	return nil
}

// A pod has a token exactly when its sidecar watches EndpointSlices, and may then read them.
func TestTokensAreForDiscovery(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, w := range m.workloads() {
			watches := false
			if w.sidecar() != nil {
				for _, service := range m.config(t, w).Services {
					watches = watches || service.Endpoints.Kubernetes.Service != ""
				}
			}
			may := slices.ContainsFunc(each[*rbacv1.RoleBinding](m), func(b *rbacv1.RoleBinding) bool {
				return slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Name == w.pod.Spec.ServiceAccountName })
			})
			mount := w.pod.Spec.AutomountServiceAccountToken
			if mount == nil || *mount != watches || may != watches {
				t.Errorf("%s: watches %v, may %v, token %v", w.name, watches, may, mount)
			}
		}
	})
}

// A replaced pod loses nothing: no pod goes before its successor serves, and none is killed while it drains.
func TestUpdatesLoseNothing(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, d := range each[*appsv1.Deployment](m) {
			update := d.Spec.Strategy.RollingUpdate
			if update == nil || update.MaxUnavailable == nil || *update.MaxUnavailable != intstr.FromInt32(0) || d.Spec.MinReadySeconds < 1 {
				t.Errorf("%s: pods go before their successors serve", d.Name)
			}
		}
		for _, w := range m.guarded() {
			service := w.pod.Spec.Containers[0]
			if service.Lifecycle == nil || service.Lifecycle.PreStop == nil || service.Lifecycle.PreStop.Sleep == nil {
				t.Errorf("%s ends before its callers know", w.name)
				continue
			}
			deadline, err := time.ParseDuration(m.config(t, w).Drain.Deadline)
			if err != nil {
				t.Errorf("%s: drain: %v", w.name, err)
			}
			longest := time.Duration(service.Lifecycle.PreStop.Sleep.Seconds)*time.Second + graceTime + deadline
			if grace := time.Duration(*w.pod.Spec.TerminationGracePeriodSeconds) * time.Second; grace < longest+5*time.Second {
				t.Errorf("%s: ends within %v, is killed after %v", w.name, longest, grace)
			}
		}
	})
}

// Listeners have the ports that the sidecar declares, and forward to where the service listens; the service dials the
// outbound ones by an authority that their routes know.
func TestServiceAndSidecarMeet(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, w := range m.guarded() {
			c := m.config(t, w)
			said := map[string]string{}
			for _, variable := range w.pod.Spec.Containers[0].Env {
				said[variable.Value] = variable.Name
			}
			for _, listen := range append(listens(c), c.Admin.Listen) {
				_, port, err := net.SplitHostPort(listen)
				number, _ := strconv.Atoi(port)
				if err != nil || !hasPort(workload{pod: &corev1.PodTemplateSpec{Spec: corev1.PodSpec{InitContainers: w.pod.Spec.InitContainers[:1]}}}, intstr.FromInt(number)) {
					t.Errorf("%s: the sidecar does not declare the port of %s", w.name, listen)
				}
			}
			for _, inbound := range c.Inbound {
				if said[inbound.Forward] == "" {
					t.Errorf("%s: nothing listens on %s", w.name, inbound.Forward)
				}
			}
			for _, outbound := range c.Outbound {
				for _, route := range outbound.Routes {
					if said[outbound.Listen] == "" || said[route.Authority] == "" {
						t.Errorf("%s: nobody dials %s as %s", w.name, outbound.Listen, route.Authority)
					}
				}
			}
		}
	})
}

func listens(c sidecarConfig) (all []string) {
	for _, inbound := range c.Inbound {
		all = append(all, inbound.Listen)
	}
	return all
}

// Endpoints are those of a Service that is there, its pods prove to be who they must be, and let the caller in.
func TestSidecarsFindEachOther(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		edges := 0
		for _, caller := range m.guarded() {
			for name, service := range m.config(t, caller).Services {
				to := service.Endpoints.Kubernetes
				found, there := find[*corev1.Service](m, to.Service)
				if !there || found.Namespace != to.Namespace || !slices.ContainsFunc(found.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == to.Port }) {
					t.Errorf("%s: service %s: no Service %+v", caller.name, name, to)
					continue
				}
				for _, callee := range m.selected(t, &metav1.LabelSelector{MatchLabels: found.Spec.Selector}) {
					edges++
					if service.Peer.Identity != identity(callee) {
						t.Errorf("%s expects %s, %s is %s", caller.name, service.Peer.Identity, callee.name, identity(callee))
					}
					if allow := m.config(t, callee).Inbound[0].Allow; len(allow) != 1 || allow[0].Identity != identity(caller) {
						t.Errorf("%s lets %v in, not %s", callee.name, allow, identity(caller))
					}
				}
			}
		}
		if edges < 2 {
			t.Errorf("%d pairs that call", edges)
		}
	})
}

// Files that only exist in the cluster are not looked for; a warning is an error.
func TestProxyAcceptsItsConfiguration(t *testing.T) {
	forEachStack(t, func(t *testing.T, m manifest) {
		for _, config := range each[*corev1.ConfigMap](m) {
			path := filepath.Join(t.TempDir(), config.Name+".yaml")
			if err := os.WriteFile(path, []byte(config.Data[configKey]), 0o600); err != nil {
				t.Fatal(err)
			}
			outrigger(t, nil, "check", "--strict", "--no-files", "-c", path)
		}
	})
}
