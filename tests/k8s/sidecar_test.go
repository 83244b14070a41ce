package k8s

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const configKey = "outrigger.yaml"

func TestSidecarIsNativeFirstAndProbed(t *testing.T) {
	for name, pod := range shop(t).pods {
		if len(pod.Spec.InitContainers) == 0 || pod.Spec.InitContainers[0].Name != "outrigger" {
			t.Errorf("%s: the first init container is not the sidecar", name)
			continue
		}
		sidecar := pod.Spec.InitContainers[0]
		if sidecar.RestartPolicy == nil || *sidecar.RestartPolicy != corev1.ContainerRestartPolicyAlways {
			t.Errorf("%s: the sidecar would have to end before the service starts", name)
		}
		for kind, probe := range map[string]*corev1.Probe{"startup": sidecar.StartupProbe, "readiness": sidecar.ReadinessProbe} {
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != "/ready" {
				t.Errorf("%s: the sidecar has no %s probe on /ready", name, kind)
			}
		}
		if grace := pod.Spec.TerminationGracePeriodSeconds; grace == nil || *grace <= 30 {
			t.Errorf("%s: the pod may be killed while the sidecar drains", name)
		}
	}
}

func TestEveryContainerIsLockedDown(t *testing.T) {
	for name, pod := range shop(t).pods {
		all := pod.Spec.SecurityContext
		if all == nil || all.RunAsNonRoot == nil || !*all.RunAsNonRoot || all.SeccompProfile == nil ||
			all.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: the pod may run as root or without seccomp", name)
		}
		if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
			t.Errorf("%s: the pod gets a token of the API server", name)
		}
		for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if err := lockedDown(container); err != nil {
				t.Errorf("%s: %s: %v", name, container.Name, err)
			}
		}
	}
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

func TestStaticEndpointsAreTheFixedAddresses(t *testing.T) {
	m := shop(t)
	var fixed []string
	for _, service := range m.services {
		if service.Spec.ClusterIP != "" && service.Spec.ClusterIP != corev1.ClusterIPNone {
			fixed = append(fixed, fmt.Sprintf("%s:%d", service.Spec.ClusterIP, service.Spec.Ports[0].Port))
		}
	}
	var config struct {
		Services map[string]struct {
			Endpoints struct{ Static []string }
		}
	}
	if err := yaml.Unmarshal([]byte(m.config(t, "order-outrigger")), &config); err != nil {
		t.Fatal(err)
	}
	static := config.Services["payment"].Endpoints.Static
	if len(static) != 3 || !slices.Equal(static, fixed) {
		t.Errorf("the sidecar knows %v, the Services have %v", static, fixed)
	}
}

func (m *manifest) config(t *testing.T, name string) string {
	t.Helper()
	for _, config := range m.configMaps {
		if config.Name == name {
			return config.Data[configKey]
		}
	}
	t.Fatalf("no ConfigMap %s", name)
	return ""
}

// TestProxyAcceptsItsConfiguration needs the binary that OUTRIGGER names. Files that only exist in the cluster are not
// looked for.
func TestProxyAcceptsItsConfiguration(t *testing.T) {
	binary := os.Getenv("OUTRIGGER")
	if binary == "" {
		t.Skip("OUTRIGGER names no binary")
	}
	for _, config := range shop(t).configMaps {
		path := filepath.Join(t.TempDir(), config.Name+".yaml")
		if err := os.WriteFile(path, []byte(config.Data[configKey]), 0o600); err != nil {
			t.Fatal(err)
		}
		if said, err := exec.Command(binary, "check", "--no-files", "-c", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", config.Name, err, said)
		}
	}
}
