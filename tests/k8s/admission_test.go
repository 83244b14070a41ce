package k8s

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// TestPolicyIsWhatInjectPrints: the committed policy and the command have one source. Whether an API server takes it is
// for scripts/test-kubernetes to show.
func TestPolicyIsWhatInjectPrints(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join(folder, "injection", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if printed := outrigger(t, nil, "inject", "--policy"); !bytes.Equal(printed, committed) {
		t.Error("k8s/injection/policy.yaml is not what `outrigger inject --policy` prints")
	}
	documents := bytes.Split(committed, []byte("\n---\n"))
	if err := decode(documents[0], &admissionregistrationv1.MutatingAdmissionPolicy{}); err != nil {
		t.Error(err)
	}
	for _, binding := range documents[1:] {
		if err := decode(binding, &admissionregistrationv1.MutatingAdmissionPolicyBinding{}); err != nil {
			t.Error(err)
		}
	}
}

// webhook is a running `outrigger webhook`.
type webhook struct {
	url              string
	certificate, key string // files
	client           *http.Client
	roots            *x509.CertPool
}

// writePair makes a certificate for loopback and returns it parsed.
func writePair(t *testing.T, certificate, key string) *x509.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "webhook"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{key: {Type: "PRIVATE KEY", Bytes: encoded}, certificate: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func startWebhook(t *testing.T, args ...string) *webhook {
	t.Helper()
	dir := t.TempDir()
	w := &webhook{certificate: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key"), roots: x509.NewCertPool()}
	w.roots.AddCert(writePair(t, w.certificate, w.key))
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := probe.Addr().String()
	probe.Close()
	w.url = "https://" + address
	w.client = &http.Client{Timeout: 10 * time.Second,
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: w.roots, NextProtos: []string{"http/1.1"}}}}
	command := exec.Command(os.Getenv("OUTRIGGER"), append([]string{"webhook", "--listen", address, "--certificate", w.certificate,
		"--private-key", w.key}, args...)...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Error("the webhook ended with", err)
		}
	})
	line := make([]byte, 256)
	if n, err := stderr.Read(line); err != nil || !strings.Contains(string(line[:n]), "webhook on") {
		t.Fatalf("%q, %v", line[:n], err)
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return w
}

// review sends a pod and returns the response.
func (w *webhook) review(t *testing.T, pod *corev1.Pod) *admissionv1.AdmissionResponse {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(&admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{UID: types.UID("one"), Kind: metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Operation: admissionv1.Create, Object: runtime.RawExtension{Raw: raw}}})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := w.post(t, body)
	var got admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v\n%s", status, err, answer)
	}
	if got.Response == nil || got.Response.UID != "one" || got.APIVersion != "admission.k8s.io/v1" {
		t.Fatalf("%s", answer)
	}
	return got.Response
}

func (w *webhook) post(t *testing.T, body []byte) (int, []byte) {
	t.Helper()
	response, err := w.client.Post(w.url+"/mutate?timeout=5s", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

// patched applies the response's patch as the API server would.
func patched(t *testing.T, pod *corev1.Pod, r *admissionv1.AdmissionResponse) *corev1.Pod {
	t.Helper()
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonpatch.DecodePatch(r.Patch)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(raw)
	if err != nil {
		t.Fatal(err)
	}
	var out corev1.Pod
	if err := decode(after, &out); err != nil {
		t.Fatal(err)
	}
	return &out
}

// TestWebhookShapes sends the pods of all shapes through the webhook.
func TestWebhookShapes(t *testing.T) {
	w := startWebhook(t)
	for _, file := range shapes(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range pods(t, text) {
			pod := &corev1.Pod{ObjectMeta: p.meta, Spec: p.spec}
			r := w.review(t, pod)
			if !r.Allowed {
				t.Errorf("%s: refused: %v", file, r.Result)
			} else if r.Patch == nil {
				checkInjected(t, p, p)
			} else {
				after := patched(t, pod, r)
				checkInjected(t, p, template{p.name, after.ObjectMeta, after.Spec})
				if again := w.review(t, after); !again.Allowed || again.Patch != nil {
					t.Errorf("%s: a second pass changes it", file)
				}
			}
		}
	}
}

func TestWebhookRefusesWhatIsWrong(t *testing.T) {
	w := startWebhook(t, "--set", "image=other:2")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"outrigger.dev/ports": "many"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}}}}
	if r := w.review(t, pod); r.Allowed || r.Result == nil || !strings.Contains(r.Result.Message, "outrigger.dev/ports") {
		t.Errorf("%+v", r)
	}
	pod.Annotations = nil
	if after := patched(t, pod, w.review(t, pod)); after.Spec.InitContainers[0].Image != "other:2" {
		t.Error("image", after.Spec.InitContainers[0].Image)
	}
	for _, body := range []string{"", "{", "[]", "{}", `{"apiVersion":"admission.k8s.io/v1"}`, `{"apiVersion":"v2","request":{"uid":"a"}}`} {
		if status, answer := w.post(t, []byte(body)); status != http.StatusBadRequest || len(answer) == 0 {
			t.Errorf("%q: %d %q", body, status, answer)
		}
	}
}

// A renewed certificate is used for the next connection; a half-written one is not.
func TestWebhookFollowsItsCertificate(t *testing.T) {
	w := startWebhook(t)
	if err := os.WriteFile(w.certificate, []byte("-----BEGIN CERTIFICATE-----\nMII"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := w.post(t, []byte("{}")); status != http.StatusBadRequest {
		t.Error("with a half-written certificate:", status)
	}
	fresh := writePair(t, w.certificate, w.key)
	only := x509.NewCertPool()
	only.AddCert(fresh)
	w.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = only
	if status, _ := w.post(t, []byte("{}")); status != http.StatusBadRequest {
		t.Error("with the new certificate:", status)
	}
}
