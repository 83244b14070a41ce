package k8s

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// routed returns where the configuration of order that a stack ends with sends a charge: "payment 95, payment-canary 5".
func routed(t *testing.T, m manifest, metadata ...string) string {
	t.Helper()
	config, there := find[*corev1.ConfigMap](m, "order-outrigger")
	if !there {
		t.Fatal("order has no configuration")
	}
	path := filepath.Join(t.TempDir(), "order.yaml")
	if err := os.WriteFile(path, []byte(config.Data[configKey]), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"explain", "-c", path, "--json", "--authority", "payment", "--method", "payment.v1.Payment/Charge"}
	for _, one := range metadata {
		args = append(args, "--metadata", one)
	}
	var said struct {
		Listeners []struct {
			Targets []struct {
				Service   string
				Weight    int
				WeightSum int `json:"weight_sum"`
			}
		}
	}
	if err := json.Unmarshal(outrigger(t, nil, args...), &said); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, listener := range said.Listeners {
		for _, target := range listener.Targets {
			if target.Weight == target.WeightSum {
				all = append(all, target.Service)
			} else {
				all = append(all, fmt.Sprint(target.Service, " ", 100*target.Weight/target.WeightSum))
			}
		}
	}
	return strings.Join(all, ", ")
}

// Each step of a release sends calls where it says.
func TestStepsRouteAsTheySay(t *testing.T) {
	for _, step := range []struct{ stack, header, want, withHeader string }{
		{"local", "x-canary=1", "payment", "payment"},
		{"canary", "x-canary=1", "payment", "payment-canary"},
		{"canary-5", "x-canary=1", "payment 95, payment-canary 5", "payment-canary"},
		{"canary-50", "x-canary=1", "payment 50, payment-canary 50", "payment-canary"},
		{"canary-promoted", "x-canary=1", "payment", "payment"},
		{"blue", "x-track=green", "payment-blue", "payment-green"},
		{"green", "x-track=blue", "payment-green", "payment-blue"},
	} {
		m := apply(t, step.stack)
		if got := routed(t, m); got != step.want {
			t.Errorf("%s: to %s, want %s", step.stack, got, step.want)
		}
		if got := routed(t, m, step.header); got != step.withHeader {
			t.Errorf("%s with %s: to %s, want %s", step.stack, step.header, got, step.withHeader)
		}
	}
}

// withoutPayment returns the configuration of order without its routes and services of payment, and those services
// without their endpoints.
func withoutPayment(t *testing.T, m manifest) (rest map[string]any, payments []any) {
	t.Helper()
	config, _ := find[*corev1.ConfigMap](m, "order-outrigger")
	if err := yaml.Unmarshal([]byte(config.Data[configKey]), &rest); err != nil {
		t.Fatal(err)
	}
	delete(rest["outbound"].([]any)[0].(map[string]any), "routes")
	services := rest["services"].(map[string]any)
	for name, service := range services {
		if strings.HasPrefix(name, "payment") {
			delete(service.(map[string]any), "endpoints")
			payments = append(payments, service)
			delete(services, name)
		}
	}
	return rest, payments
}

// The steps are whole files; but for the routes and services of payment they say what the base says.
func TestStepsChangeNothingElse(t *testing.T) {
	rest, payments := withoutPayment(t, apply(t, "local"))
	forEachStack(t, func(t *testing.T, m manifest) {
		here, services := withoutPayment(t, m)
		if !reflect.DeepEqual(here, rest) {
			t.Errorf("%v\ndiffers from the base\n%v", here, rest)
		}
		for _, service := range services {
			if !reflect.DeepEqual(service, payments[0]) {
				t.Errorf("a payment that differs from the base: %v", service)
			}
		}
	})
}

// A version is told apart by its tag: the canary and green run the next one, the others the first, until it is promoted.
func TestStepsRunTheirVersion(t *testing.T) {
	for stack, want := range map[string]map[string]string{
		"canary-50":       {"payment": "dev", "payment-canary": "v2"},
		"canary-promoted": {"payment": "v2", "payment-canary": "v2"},
		"green":           {"payment": "dev", "payment-blue": "dev", "payment-green": "v2"},
	} {
		for _, w := range apply(t, stack).workloads() {
			if tag := want[w.name]; tag != "" && w.pod.Spec.Containers[0].Image != "outrigger-examples:"+tag {
				t.Errorf("%s: %s runs %s", stack, w.name, w.pod.Spec.Containers[0].Image)
			}
			delete(want, w.name)
		}
		if len(want) > 0 {
			t.Errorf("%s: not there: %v", stack, want)
		}
	}
}
