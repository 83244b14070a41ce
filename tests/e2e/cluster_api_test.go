//go:build cluster

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/proxy"
)

// kubeServer is a real API server that scripts/test-kubernetes started, asked as its administrator.
type kubeServer struct {
	folder string // of the control plane: certificates, logs, pids
	url    string
	client *http.Client
}

// object is a piece of JSON.
type object = map[string]any

func openKube(t *testing.T) *kubeServer {
	t.Helper()
	k := &kubeServer{folder: os.Getenv("CLUSTER")}
	if k.folder == "" {
		t.Fatal("CLUSTER names no control plane: this test is run by scripts/test-kubernetes")
	}
	url, err := os.ReadFile(filepath.Join(k.folder, "server"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(k.folder, "admin.crt"), filepath.Join(k.folder, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	k.url = strings.TrimSpace(string(url))
	k.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{RootCAs: poolOf(t, filepath.Join(k.folder, "ca.crt")), Certificates: []tls.Certificate{pair}}}}
	return k
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatalf("%s: %v", file, err)
	}
	return pool
}

// try sends a request; a body that is no string becomes JSON. A PATCH is a merge patch.
func (k *kubeServer) try(method, path string, body any) (status int, answer object, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	request, err := http.NewRequest(method, k.url+path, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := k.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, err
	}
	answer = object{}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return response.StatusCode, nil, fmt.Errorf("%w: %q", err, raw)
	}
	return response.StatusCode, answer, nil
}

// do is try for what must succeed.
func (k *kubeServer) do(t *testing.T, method, path string, body any) object {
	t.Helper()
	status, answer, err := k.try(method, path, body)
	if err != nil || status >= 300 {
		t.Fatalf("%s %s: %d %v %v", method, path, status, err, answer["message"])
	}
	return answer
}

var namespaces atomic.Int64

// namespace makes one with the service accounts default and order.
func (k *kubeServer) namespace(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("discovery-%d-%d", os.Getpid(), namespaces.Add(1))
	k.do(t, http.MethodPost, "/api/v1/namespaces", object{"metadata": object{"name": name}})
	t.Cleanup(func() { k.try(http.MethodDelete, "/api/v1/namespaces/"+name, nil) })
	k.do(t, http.MethodPost, "/api/v1/namespaces/"+name+"/serviceaccounts", object{"metadata": object{"name": "order"}})
	eventually(t, "the default service account", func() bool {
		status, _, err := k.try(http.MethodGet, "/api/v1/namespaces/"+name+"/serviceaccounts/default", nil)
		return err == nil && status == http.StatusOK
	})
	return name
}

// allow gives order of the namespace these verbs on endpointslices, and takes what it had.
func (k *kubeServer) allow(t *testing.T, ns string, verbs ...string) {
	t.Helper()
	const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/"
	rules := []object{{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": verbs}}
	k.do(t, http.MethodPut, rbac+ns+"/roles/endpoints", object{"metadata": object{"name": "endpoints"}, "rules": rules})
	k.do(t, http.MethodPut, rbac+ns+"/rolebindings/endpoints", object{"metadata": object{"name": "endpoints"},
		"roleRef":  object{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "endpoints"},
		"subjects": []object{{"kind": "ServiceAccount", "name": "order", "namespace": ns}}})
}

// token asks for one of order's, as the kubelet does for a pod: valid for ten minutes, and while the Secret `bound` lives.
func (k *kubeServer) token(t *testing.T, ns, bound string) string {
	t.Helper()
	secret := k.do(t, http.MethodPost, "/api/v1/namespaces/"+ns+"/secrets", object{"metadata": object{"name": bound}})
	uid := secret["metadata"].(object)["uid"]
	answer := k.do(t, http.MethodPost, "/api/v1/namespaces/"+ns+"/serviceaccounts/order/token", object{"spec": object{
		"expirationSeconds": 600, "boundObjectRef": object{"apiVersion": "v1", "kind": "Secret", "name": bound, "uid": uid}}})
	return answer["status"].(object)["token"].(string)
}

// as asks with a token alone, and returns the status.
func (k *kubeServer) as(t *testing.T, token, method, path, body string) int {
	t.Helper()
	request, err := http.NewRequest(method, k.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: poolOf(t, filepath.Join(k.folder, "ca.crt"))}}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// another starts a second API server of the same cluster, with a certificate and a port of its own, which a test may
// stop: the first one goes on, and the controllers with it.
func (k *kubeServer) another(t *testing.T, name string) *secondServer {
	t.Helper()
	s := &secondServer{folder: k.folder, name: name, port: proxy.Port(t)}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	return s
}

type secondServer struct {
	folder, name string
	port         int
}

func (s *secondServer) url() string { return fmt.Sprintf("https://127.0.0.1:%d", s.port) }

// start runs it with the certificate NAME.crt and NAME.key of the folder; trusting is who signed it.
func (s *secondServer) start(t *testing.T, trusting *x509.CertPool) {
	t.Helper()
	if out, err := exec.Command(filepath.Join(s.folder, "start-apiserver"), s.name, strconv.Itoa(s.port)).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.folder, "admin.crt"), filepath.Join(s.folder, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: trusting, Certificates: []tls.Certificate{pair}}}}
	within(t, 60*time.Second, "the second API server is ready", func() bool {
		response, err := client.Get(s.url() + "/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// end ends it and waits until it is gone.
func (s *secondServer) end(how syscall.Signal) {
	text, err := os.ReadFile(filepath.Join(s.folder, s.name+".pid"))
	if err != nil {
		return
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	os.Remove(filepath.Join(s.folder, s.name+".pid"))
	for range 3000 {
		if syscall.Kill(pid, how) != nil {
			return
		}
		how = 0 // from now on only asks whether it is there
		time.Sleep(10 * time.Millisecond)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

// within is eventually with a limit of its own.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// relay stands before the API server, so that connections can be cut without a restart.
type relay struct {
	address string
	mu      sync.Mutex
	open    []net.Conn
}

func startRelay(t *testing.T, to string) *relay {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{address: listener.Addr().String()}
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			r.mu.Lock()
			r.open = append(r.open, in, out)
			r.mu.Unlock()
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	t.Cleanup(func() { listener.Close(); r.cut() })
	return r
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.open {
		c.Close()
	}
	r.open = nil
}

// writeFile replaces a file in one step.
func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}
