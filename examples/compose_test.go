package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composed is what we use of the Compose format; a key that is not here is refused.
type composed struct {
	Services map[string]composedService `yaml:"services"`
	Volumes  map[string]struct{}        `yaml:"volumes"`
	App      any                        `yaml:"x-app"`
	Sidecar  any                        `yaml:"x-sidecar"`
	Payment  any                        `yaml:"x-payment-sidecar"`
	Health   any                        `yaml:"x-payment-health"`
}

type composedService struct {
	Image       string                                `yaml:"image"`
	Command     []string                              `yaml:"command"`
	User        string                                `yaml:"user"`
	NetworkMode string                                `yaml:"network_mode"`
	Networks    map[string]struct{ Aliases []string } `yaml:"networks"`
	Environment map[string]string                     `yaml:"environment"`
	Volumes     []string                              `yaml:"volumes"`
	Ports       []string                              `yaml:"ports"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
		Restart   bool   `yaml:"restart"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test              []string `yaml:"test"`
		Interval, Timeout string
		Retries           int
	} `yaml:"healthcheck"`
	Restart  string   `yaml:"restart"`
	ReadOnly bool     `yaml:"read_only"`
	CapDrop  []string `yaml:"cap_drop"`
	Security []string `yaml:"security_opt"`
	Profiles []string `yaml:"profiles"`
}

func readCompose(t *testing.T) composed {
	t.Helper()
	file, err := os.Open("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all composed
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestComposeNamesLeadSomewhere follows each name in compose.yaml: images, services, volumes, files, and what is in them.
func TestComposeNamesLeadSomewhere(t *testing.T) {
	all := readCompose(t)
	images := []string{imageOf(t, "../Dockerfile"), imageOf(t, "Dockerfile"), "postgres:17"}
	for name, service := range all.Services {
		if !slices.Contains(images, service.Image) {
			t.Errorf("%s: image %s is none of %v", name, service.Image, images)
		}
		if owner, shares := strings.CutPrefix(service.NetworkMode, "service:"); shares && !all.has(owner) {
			t.Errorf("%s: shares the network of %s", name, owner)
		}
		for other, how := range service.DependsOn {
			if !all.has(other) || how.Condition == "service_healthy" && all.Services[other].Healthcheck == nil {
				t.Errorf("%s: depends on %s, %s", name, other, how.Condition)
			}
		}
		for _, volume := range service.Volumes {
			source, _, _ := strings.Cut(volume, ":")
			_, isVolume := all.Volumes[source]
			if _, err := os.Stat(source); !isVolume && (err != nil || !strings.HasPrefix(source, "./")) {
				t.Errorf("%s: volume %s is none", name, volume)
			}
		}
	}
}

// TestComposeHasASidecarForEach also holds what makes a service reachable through its sidecar alone.
func TestComposeHasASidecarForEach(t *testing.T) {
	all := readCompose(t)
	for _, name := range []string{"order", "payment-1", "payment-2", "payment-3", "shipping"} {
		service, sidecar := all.Services[name], all.Services[name+"-sidecar"]
		kind, _, _ := strings.Cut(name, "-")
		if service.NetworkMode != "service:"+name+"-sidecar" || service.Command[0] != "/"+kind || service.Healthcheck == nil {
			t.Errorf("%s: %+v", name, service)
		}
		if want := []string{"run", "-c", "/etc/outrigger/" + kind + ".yaml"}; !slices.Equal(sidecar.Command, want) {
			t.Errorf("%s-sidecar: %v", name, sidecar.Command)
		}
		if !slices.Contains(sidecar.Networks["default"].Aliases, kind) || !sidecar.ReadOnly || !service.ReadOnly {
			t.Errorf("%s-sidecar: %+v", name, sidecar)
		}
		for variable := range service.Environment {
			if readme, err := os.ReadFile("README.md"); err != nil || !strings.Contains(string(readme), "`"+variable+"`") {
				t.Errorf("%s: README.md does not tell of %s", name, variable)
			}
		}
	}
	if prepare := all.Services["prepare"]; !slices.Equal(prepare.Command[:2], []string{"/shop", "certificates"}) {
		t.Errorf("prepare: %v", prepare.Command)
	}
}

// TestComposeConfigurations asks the proxy what it thinks of the files of the sidecars.
func TestComposeConfigurations(t *testing.T) {
	binary := os.Getenv("OUTRIGGER")
	if binary == "" {
		t.Skip("OUTRIGGER does not name the binary of the sidecars")
	}
	for _, service := range readCompose(t).Services {
		if !strings.HasPrefix(service.Image, "outrigger:") {
			continue
		}
		path := filepath.Join("compose", filepath.Base(service.Command[2]))
		if out, err := exec.Command(binary, "check", "--no-files", "--strict", "-c", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

func (c composed) has(name string) bool {
	_, found := c.Services[name]
	return found
}

// imageOf is the name that a Dockerfile says its image is to have.
func imageOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), " -t ")
	name, _, ended := strings.Cut(rest, " ")
	if !found || !ended {
		t.Fatalf("%s does not say how to build it", path)
	}
	return name
}
