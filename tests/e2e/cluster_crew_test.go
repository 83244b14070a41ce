//go:build cluster

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"

	"outrigger/tests/e2e/internal/proxy"
)

// crew is a namespace with the Service echo whose pods are played by this test: it does for them what a kubelet does,
// with a server on an address of its own for each. The real controllers do the rest. API servers refuse 127.0.0.0/8
// in EndpointSlices; scripts/test-kubernetes makes 10.77.0.0/16 local addresses.
type crew struct {
	*everywhere
	kube  *kubeServer
	ns    string
	block int // addresses are 10.77.block.x

	mu   sync.Mutex
	pods map[string]*pod
	next int
	end  chan struct{}
	done sync.WaitGroup
	err  error
}

type pod struct {
	ip      string
	server  *grpc.Server
	readyAt time.Time // when the API server was told so
}

var blocks int

func startCrew(t *testing.T, k *kubeServer, replicas int) *crew {
	t.Helper()
	blocks++
	f := &crew{kube: k, ns: k.namespace(t), block: blocks, pods: map[string]*pod{}, end: make(chan struct{}),
		everywhere: &everywhere{port: proxy.Port(t), calls: map[string][]time.Time{}, conns: map[string]int{}}}
	// The controller leaves out pods whose Node it does not know.
	if status, _, _ := k.try(http.MethodGet, "/api/v1/nodes/played", nil); status == http.StatusNotFound {
		k.do(t, http.MethodPost, "/api/v1/nodes", object{"metadata": object{"name": "played"}})
	}
	k.do(t, http.MethodPost, "/api/v1/namespaces/"+f.ns+"/services", object{"metadata": object{"name": "echo"}, "spec": object{
		"clusterIP": "None", "selector": object{"app": "echo"}, "ports": []object{{"name": "grpc", "port": 50051, "targetPort": "grpc"}}}})
	k.do(t, http.MethodPost, "/apis/apps/v1/namespaces/"+f.ns+"/deployments", object{"metadata": object{"name": "echo"}, "spec": object{
		"replicas": replicas, "selector": object{"matchLabels": object{"app": "echo"}},
		"strategy": object{"rollingUpdate": object{"maxSurge": 1, "maxUnavailable": 0}},
		"template": object{"metadata": object{"labels": object{"app": "echo"}}, "spec": object{
			"nodeName": "played", "automountServiceAccountToken": false,
			"containers": []object{{"name": "echo", "image": "echo", "ports": []object{{"name": "grpc", "containerPort": f.port}}}}}}}})
	f.done.Go(f.play)
	t.Cleanup(func() {
		close(f.end)
		f.done.Wait()
		for _, p := range f.pods {
			p.server.Stop()
		}
		if f.err != nil {
			t.Error(f.err)
		}
	})
	return f
}

// play is the kubelet: starts what is new, stops what was told to end, again and again.
func (f *crew) play() {
	for {
		select {
		case <-f.end:
			return
		case <-time.After(20 * time.Millisecond):
		}
		_, list, err := f.kube.try(http.MethodGet, "/api/v1/namespaces/"+f.ns+"/pods", nil)
		if err != nil {
			continue
		}
		items, _ := list["items"].([]any)
		for _, item := range items {
			meta := item.(object)["metadata"].(object)
			name := meta["name"].(string)
			if err := f.look(name, meta["deletionTimestamp"] != nil); err != nil && f.err == nil {
				f.err = fmt.Errorf("pod %s: %w", name, err)
			}
		}
	}
}

func (f *crew) look(name string, ending bool) error {
	f.mu.Lock()
	p := f.pods[name]
	f.mu.Unlock()
	switch {
	case p == nil && !ending:
		return f.start(name)
	case p != nil && ending:
		p.server.GracefulStop() // GOAWAY, and nothing listens from now on, whether callers know or not
		f.mu.Lock()
		delete(f.pods, name)
		f.mu.Unlock()
		_, _, err := f.kube.try(http.MethodDelete, f.path(name), object{"gracePeriodSeconds": 0})
		return err
	}
	return nil
}

func (f *crew) path(name string) string { return "/api/v1/namespaces/" + f.ns + "/pods/" + name }

func (f *crew) start(name string) error {
	f.next++
	p := &pod{ip: fmt.Sprintf("10.77.%d.%d", f.block, f.next), server: grpc.NewServer()}
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", p.ip, f.port))
	if err != nil {
		return err
	}
	testgrpc.RegisterTestServiceServer(p.server, f.everywhere)
	go p.server.Serve(countingListener{listener, f.everywhere})
	p.readyAt = time.Now()
	f.mu.Lock()
	f.pods[name] = p
	f.mu.Unlock()
	status, answer, err := f.kube.try(http.MethodPatch, f.path(name)+"/status", object{"status": object{"phase": "Running", "podIP": p.ip,
		"podIPs": []object{{"ip": p.ip}}, "conditions": []object{{"type": "Ready", "status": "True"}}}})
	if err == nil && status != http.StatusOK && status != http.StatusNotFound {
		err = fmt.Errorf("%d %v", status, answer["message"])
	}
	return err
}

// now are the pods that serve.
func (f *crew) now() (all []pod) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.pods {
		all = append(all, *p)
	}
	return all
}

func (f *crew) deployment() string { return "/apis/apps/v1/namespaces/" + f.ns + "/deployments/echo" }

func (f *crew) scale(t *testing.T, replicas int) {
	t.Helper()
	f.kube.do(t, http.MethodPatch, f.deployment(), object{"spec": object{"replicas": replicas}})
	f.settled(t, replicas)
}

// roll makes the deployment controller replace every pod.
func (f *crew) roll(t *testing.T, turn int) {
	t.Helper()
	answer := f.kube.do(t, http.MethodPatch, f.deployment(), object{"spec": object{"template": object{"metadata": object{
		"annotations": object{"turn": fmt.Sprint(turn)}}}}})
	f.settled(t, int(answer["spec"].(object)["replicas"].(float64)))
}

// settled waits until the rollout is through: so many new pods, all ready, and no others.
func (f *crew) settled(t *testing.T, replicas int) {
	t.Helper()
	within(t, 60*time.Second, "the rollout is through", func() bool {
		_, d, err := f.kube.try(http.MethodGet, f.deployment(), nil)
		if err != nil {
			return false
		}
		status := d["status"].(object)
		is := func(name string) bool { n, _ := status[name].(float64); return int(n) == replicas }
		return d["metadata"].(object)["generation"] == status["observedGeneration"] && is("replicas") && is("updatedReplicas") &&
			is("readyReplicas") && len(f.now()) == replicas
	})
}

// follower is a proxy that learns of a crew's pods from an API server.
type follower struct {
	*proxy.Proxy
	entry, token, ca string
}

// follow starts one with a token of order; api and ca as the configuration has them.
func (f *crew) follow(t *testing.T, api, ca, token string, noWait bool) *follower {
	t.Helper()
	dir := t.TempDir()
	l := &follower{entry: proxy.Address(t), token: dir + "/token", ca: dir + "/ca.crt"}
	writeFile(t, l.token, token)
	writeFile(t, l.ca, ca)
	l.Proxy = proxy.StartWith(t, fmt.Sprintf("outbound:\n  - { listen: %q, routes: [ { service: echo } ] }\nservices:\n"+
		"  echo: { endpoints: { kubernetes: { service: echo, namespace: %s, port: grpc, api: %q, token: %q, ca: %q } }, tls: off, balance: round_robin }\n",
		l.entry, f.ns, api, l.token, l.ca), proxy.Options{NoWait: noWait})
	return l
}

// wantAllCalled waits until every pod that serves is called, and returns how long that took since each was ready.
func (f *crew) wantAllCalled(t *testing.T) (took []time.Duration) {
	t.Helper()
	for _, p := range f.now() {
		within(t, 20*time.Second, p.ip+" is called", func() bool { return f.called(p.ip, p.readyAt) > 0 })
		at, _ := f.firstCall(p.ip, p.readyAt)
		took = append(took, at.Sub(p.readyAt))
	}
	return took
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
