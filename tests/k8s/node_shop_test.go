//go:build cluster

package k8s

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// The pods of the shop become ready with the sidecar that the policy put in, which was there before the service, and an
// order is paid by way of both sidecars.
func TestNodeShopWorks(t *testing.T) {
	s := startShop(t)
	for _, app := range []string{"order", "payment"} {
		for _, p := range s.pods(t, app) {
			sidecar, service := status(&p, "outrigger"), status(&p, app)
			if !isReady(&p) || len(p.Status.InitContainerStatuses) != 1 || sidecar.Started == nil || !*sidecar.Started || service.State.Running == nil {
				t.Fatalf("%s: %+v", p.Name, p.Status)
			}
			if service.State.Running.StartedAt.Before(&sidecar.State.Running.StartedAt) {
				t.Errorf("%s: the service was there before its sidecar", p.Name)
			}
			if sidecar.RestartCount+service.RestartCount > 0 {
				t.Errorf("%s: started again", p.Name)
			}
		}
	}
	placed, failed, said := s.place(t, 60, 100)
	if placed != 60 || failed > 0 {
		t.Error(said)
	}
	t.Log(said)
	orders, payments := s.pods(t, "order"), s.pods(t, "payment")
	for _, p := range payments {
		if !strings.Contains(said, p.Name) {
			t.Errorf("%s was not called", p.Name)
		}
		if n := metric(t, &p, "outrigger_downstream_connections"); n < 1 {
			t.Errorf("%s: %v connections", p.Name, n)
		}
		checkClosed(t, p.Status.PodIP)
	}
	if n := metric(t, &orders[0], "outrigger_discovery_endpoints", `service="payment"`); int(n) != len(payments) {
		t.Errorf("order's sidecar knows %v payments", n)
	}
}

// checkClosed: the service is not to be reached from outside of its pod, and its sidecar takes nobody without a certificate.
func checkClosed(t *testing.T, ip string) {
	t.Helper()
	if c, err := net.DialTimeout("tcp", net.JoinHostPort(ip, "50051"), 2*time.Second); err == nil {
		c.Close()
		t.Errorf("%s: the service listens to everybody", ip)
	}
	c, err := tls.Dial("tcp", net.JoinHostPort(ip, "8443"), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err == nil {
		c.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err = c.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("%s: without a certificate: %v", ip, err)
		}
		c.Close()
	}
}

// Every payment is replaced while orders are placed.
func TestNodeRollingUpdateLosesNothing(t *testing.T) {
	s := startShop(t)
	before := s.pods(t, "payment")
	load := s.startLoad(t, 30)
	kubectl(t, nil, "-n", s.ns, "rollout", "restart", "deployment/payment")
	kubectl(t, nil, "-n", s.ns, "rollout", "status", "deployment/payment", "--timeout=120s")
	for _, p := range before {
		kubectl(t, nil, "-n", s.ns, "wait", "--for=delete", "pod/"+p.Name, "--timeout=60s")
	}
	load.wantNoneFailed(t)
	after := s.pods(t, "payment")
	_, _, said := s.place(t, 60, 100)
	for _, p := range after {
		if !strings.Contains(said, p.Name) {
			t.Errorf("%s was not called: %s", p.Name, said)
		}
	}
}

// A payment that is deleted while orders are placed, with the 5 s of its manifest in which others learn of it, and without
// any: the service ends first, its sidecar drains after it, and no call is lost.
func TestNodeDeletedPodLosesNothing(t *testing.T) {
	s := startShop(t)
	for _, preStop := range []bool{true, false} {
		t.Run(fmt.Sprintf("preStop %v", preStop), func(t *testing.T) {
			if !preStop {
				kubectl(t, nil, "-n", s.ns, "patch", "deployment", "payment", "--type=json", "-p",
					`[{"op":"remove","path":"/spec/template/spec/containers/0/lifecycle"}]`)
				kubectl(t, nil, "-n", s.ns, "rollout", "status", "deployment/payment", "--timeout=120s")
			}
			victim := s.pods(t, "payment")[0]
			service, sidecar := s.follow(t, victim.Name, "payment"), s.follow(t, victim.Name, "outrigger")
			load := s.startLoad(t, 50)
			kubectl(t, nil, "-n", s.ns, "delete", "pod", victim.Name)
			kubectl(t, nil, "-n", s.ns, "rollout", "status", "deployment/payment", "--timeout=120s")
			load.wantNoneFailed(t)
			ended, drained := service.lineWith(t, `msg=stopped|INFO stopped`), sidecar.lineWith(t, `"event":"draining"`)
			if drained.Before(ended) {
				t.Errorf("the sidecar was told to end at %v, the service ended at %v", drained, ended)
			}
			sidecar.lineWith(t, `"event":"exit","code":0`)
		})
	}
}

// follower keeps the log of a container, with times, until the container ends.
type follower struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (f *follower) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.text.Write(p)
}

func (s *shopStage) follow(t *testing.T, pod, container string) *follower {
	t.Helper()
	f := &follower{}
	command := exec.Command(os.Getenv("KUBECTL"), "-n", s.ns, "logs", "-f", "--timestamps", pod, "-c", container)
	command.Stdout = f
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { command.Process.Kill(); command.Wait() })
	return f
}

// lineWith is when the last line with one of these texts was written.
func (f *follower) lineWith(t *testing.T, texts string) (at time.Time) {
	t.Helper()
	within(t, 10*time.Second, "the log says "+texts, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		for line := range strings.Lines(f.text.String()) {
			when, said, _ := strings.Cut(line, " ")
			if slices.ContainsFunc(strings.Split(texts, "|"), func(text string) bool { return strings.Contains(said, text) }) {
				at, _ = time.Parse(time.RFC3339Nano, when)
			}
		}
		return !at.IsZero()
	})
	return at
}

// A Job with a sidecar ends when its own container does; its call went through the sidecar.
func TestNodeJobEnds(t *testing.T) {
	s := startShop(t)
	if placed, failed, said := s.place(t, 3, 100); placed != 3 || failed > 0 {
		t.Fatal(said)
	}
	ids := fmt.Sprintf("%[1]s-0001\n%[1]s-0002\n%[1]s-0003\n", s.batch())
	kubectl(t, nil, "-n", s.ns, "create", "configmap", "ids", "--from-literal=ids="+ids)
	kubectl(t, []byte(`
apiVersion: batch/v1
kind: Job
metadata: { name: ask }
spec:
  backoffLimit: 0
  template:
    metadata:
      labels: { outrigger.dev/inject: enabled }
      annotations: { outrigger.dev/config: order-outrigger, outrigger.dev/tls-secret: order-tls }
    spec:
      nodeName: node
      restartPolicy: Never
      serviceAccountName: order
      automountServiceAccountToken: true
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: ask
          image: outrigger-examples:dev
          command: [/shop, ask, -payment, "127.0.0.1:15001", -authority, payment, -ids, /ids/ids, -count, "3"]
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
          volumeMounts: [ { name: ids, mountPath: /ids } ]
      volumes: [ { name: ids, configMap: { name: ids } } ]
`), "-n", s.ns, "apply", "-f", "-")
	t.Cleanup(func() { tryKubectl(nil, "-n", s.ns, "delete", "job/ask", "configmap/ids", "--wait=false") })
	began := time.Now()
	if out, problem, err := tryKubectl(nil, "-n", s.ns, "wait", "--for=condition=Complete", "job/ask", "--timeout=60s"); err != nil {
		t.Fatalf("%s %s\n%s", out, problem, kubectl(t, nil, "-n", s.ns, "describe", "pods", "-l", "job-name=ask"))
	}
	t.Logf("complete after %v", time.Since(began).Round(100*time.Millisecond))
	if said := string(kubectl(t, nil, "-n", s.ns, "logs", "job/ask", "-c", "ask")); !strings.Contains(said, "0 calls failed") {
		t.Error(said)
	}
	var jobs batchv1.JobList
	if err := json.Unmarshal(kubectl(t, nil, "-n", s.ns, "get", "jobs", "-o", "json"), &jobs); err != nil || jobs.Items[0].Status.Succeeded != 1 {
		t.Errorf("%v %+v", err, jobs.Items)
	}
	var pods corev1.PodList
	if err := json.Unmarshal(kubectl(t, nil, "-n", s.ns, "get", "pods", "-l", "job-name=ask", "-o", "json"), &pods); err != nil {
		t.Fatal(err)
	}
	if end := status(&pods.Items[0], "outrigger").State.Terminated; end == nil || end.ExitCode != 0 {
		t.Errorf("the sidecar ended with %+v", end)
	}
}

// The probes of the sidecar and of the service, each seen to fail and to pass again.
func TestNodeProbes(t *testing.T) {
	s := startShop(t)
	t.Run("readiness of the sidecar", func(t *testing.T) {
		p := s.pods(t, "payment")[0]
		signal(t, &p, "outrigger", syscall.SIGSTOP)
		within(t, 30*time.Second, "not ready", func() bool { return !isReady(s.pod(t, p.Name)) })
		within(t, 10*time.Second, "no endpoint", func() bool { return !slices.Contains(s.addresses(t, "payment"), p.Status.PodIP) })
		signal(t, &p, "outrigger", syscall.SIGCONT)
		within(t, 30*time.Second, "ready again", func() bool { return isReady(s.pod(t, p.Name)) })
		within(t, 10*time.Second, "an endpoint again", func() bool { return slices.Contains(s.addresses(t, "payment"), p.Status.PodIP) })
	})
	t.Run("readiness of the service", func(t *testing.T) {
		p := s.pods(t, "payment")[0]
		signal(t, &p, "payment", syscall.SIGSTOP)
		within(t, 30*time.Second, "not ready", func() bool { return !isReady(s.pod(t, p.Name)) })
		signal(t, &p, "payment", syscall.SIGCONT)
		within(t, 30*time.Second, "ready again", func() bool { return isReady(s.pod(t, p.Name)) })
	})
	t.Run("liveness of the sidecar", func(t *testing.T) {
		p := s.pods(t, "payment")[0]
		signal(t, &p, "outrigger", syscall.SIGSTOP)
		began := time.Now()
		within(t, 90*time.Second, "the sidecar is started again", func() bool { return status(s.pod(t, p.Name), "outrigger").RestartCount == 1 })
		t.Logf("after %v", time.Since(began).Round(time.Second))
		within(t, 30*time.Second, "ready again", func() bool { return isReady(s.pod(t, p.Name)) })
		if n := status(s.pod(t, p.Name), "payment").RestartCount; n != 0 {
			t.Errorf("the service was started again %d times", n)
		}
		if placed, failed, said := s.place(t, 30, 100); placed != 30 || failed > 0 {
			t.Error(said)
		}
	})
	t.Run("startup of the sidecar, liveness of the service", s.testStartAndLiveness)
}

// A sidecar whose file is wrong keeps the service from starting; with a right one everything comes up by itself. A service
// whose liveness fails is started again under a sidecar that stays.
func (s *shopStage) testStartAndLiveness(t *testing.T) {
	config := func(text string) {
		kubectl(t, fmt.Appendf(nil, "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: late }\ndata: { outrigger.yaml: %q }\n", text), "-n", s.ns, "apply", "-f", "-")
	}
	config("version: 1\nadmin: { listen: 0.0.0.0:9901, public: true }\ninbound: [ { listen: nowhere } ]\n")
	kubectl(t, []byte(`
apiVersion: v1
kind: Pod
metadata:
  name: late
  labels: { app: late, outrigger.dev/inject: enabled }
  annotations: { outrigger.dev/config: late, outrigger.dev/tls-secret: payment-tls }
spec:
  nodeName: node
  securityContext: { runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: payment
      image: outrigger-examples:dev
      command: [/payment]
      env: [ { name: PAYMENT_LEDGER_FOLDER, value: /ledger } ]
      livenessProbe: { exec: { command: [/shop, wait, -for, 900ms, "127.0.0.1:50051"] }, periodSeconds: 1, timeoutSeconds: 2, failureThreshold: 2 }
      terminationMessagePolicy: FallbackToLogsOnError
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
      volumeMounts: [ { name: ledger, mountPath: /ledger } ]
  volumes: [ { name: ledger, emptyDir: {} } ]
`), "-n", s.ns, "apply", "-f", "-")
	t.Cleanup(func() { tryKubectl(nil, "-n", s.ns, "delete", "pod/late", "configmap/late", "--now") })
	within(t, 60*time.Second, "the sidecar fails", func() bool { return status(s.pod(t, "late"), "outrigger").RestartCount >= 1 })
	if waiting := status(s.pod(t, "late"), "payment").State.Waiting; waiting == nil || waiting.Reason != "PodInitializing" {
		t.Errorf("the service: %+v", status(s.pod(t, "late"), "payment"))
	}
	if said := string(kubectl(t, nil, "-n", s.ns, "logs", "late", "-c", "outrigger")); !strings.Contains(said, "outrigger.yaml:3:") {
		t.Errorf("the log does not say where the file is wrong: %s", said)
	}
	config("version: 1\nadmin: { listen: 0.0.0.0:9901, public: true }\ninbound: [ { listen: 0.0.0.0:8443, tls: off, forward: 127.0.0.1:50051 } ]\n")
	within(t, 150*time.Second, "ready", func() bool { return isReady(s.pod(t, "late")) })

	restarts := status(s.pod(t, "late"), "outrigger").RestartCount
	signal(t, s.pod(t, "late"), "payment", syscall.SIGSTOP)
	within(t, 90*time.Second, "the service is started again", func() bool { return status(s.pod(t, "late"), "payment").RestartCount == 1 })
	within(t, 30*time.Second, "ready again", func() bool { return isReady(s.pod(t, "late")) })
	if n := status(s.pod(t, "late"), "outrigger").RestartCount; n != restarts {
		t.Errorf("the sidecar was started again")
	}
}

// What `inject` makes of a manifest runs as well as what the policy makes of a pod.
func TestNodeRunsInjectedManifest(t *testing.T) {
	s := startShop(t)
	manifest := []byte(`
apiVersion: v1
kind: Pod
metadata:
  name: injected
  labels: { app: injected }
  annotations: { outrigger.dev/config: payment-outrigger, outrigger.dev/tls-secret: payment-tls }
spec:
  nodeName: node
  securityContext: { runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532, seccompProfile: { type: RuntimeDefault } }
  containers:
    - name: payment
      image: outrigger-examples:dev
      command: [/payment]
      env: [ { name: PAYMENT_LEDGER_FOLDER, value: /ledger } ]
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
      volumeMounts: [ { name: ledger, mountPath: /ledger } ]
  volumes: [ { name: ledger, emptyDir: {} } ]
`)
	kubectl(t, outrigger(t, manifest, "inject", "-c", filepath.Join(folder, "base", "config", "payment.yaml")), "-n", s.ns, "apply", "-f", "-")
	t.Cleanup(func() { tryKubectl(nil, "-n", s.ns, "delete", "pod/injected", "--now") })
	within(t, 60*time.Second, "ready", func() bool { return isReady(s.pod(t, "injected")) })
	checkClosed(t, s.pod(t, "injected").Status.PodIP)
}
