package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"outrigger/tests/e2e/internal/proxy"
	"outrigger/tests/e2e/internal/wire"
)

func portOf(t *testing.T, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestProbes asks the sidecar for probes of the app beside it, of each kind, good and bad.
func TestProbes(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, states := grpc.NewServer(), health.NewServer()
	long := strings.Repeat("x", 200)
	states.SetServingStatus("payment.v1.Payment", healthpb.HealthCheckResponse_SERVING)
	states.SetServingStatus(long, healthpb.HealthCheckResponse_SERVING)
	states.SetServingStatus("down", healthpb.HealthCheckResponse_NOT_SERVING)
	healthpb.RegisterHealthServer(server, states)
	go server.Serve(listener)
	defer server.Stop()
	bare := grpc.NewServer() // without the health service
	without, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go bare.Serve(without)
	defer bare.Stop()

	var hold sync.WaitGroup
	hold.Add(1)
	entered := make(chan struct{}, 100)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hangs" {
			entered <- struct{}{}
			hold.Wait()
		}
		status, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err != nil || r.URL.RawQuery == "bad" {
			status = 500
		}
		if status >= 300 && status < 400 {
			w.Header().Set("Location", "/500")
		}
		w.WriteHeader(status)
	}))
	defer app.Close()
	defer hold.Done()
	silent := wire.Local(t, wire.Behaviour{})
	grpcPort, barePort, httpPort := portOf(t, listener.Addr().String()), portOf(t, without.Addr().String()), portOf(t, app.Listener.Addr().String())
	nobody := fmt.Sprint(proxy.Port(t))
	for _, path := range []string{"grpc/" + grpcPort + "/not-listed", "http/" + httpPort + "/200?x=2", "http/" + httpPort + "/", "http/22"} {
		if status, _ := startProbed(t).Get("/probe/" + path); status != 404 {
			t.Errorf("%s is not listed: %d", path, status)
		}
	}
	rows := []struct {
		path   string
		status int
		says   string
	}{
		{"grpc/" + grpcPort + "/", 200, "SERVING"},
		{"grpc/" + grpcPort + "/payment.v1.Payment", 200, "SERVING"},
		{"grpc/" + grpcPort + "/" + long, 200, "SERVING"},
		{"grpc/" + grpcPort + "/down", 503, "NOT_SERVING"},
		{"grpc/" + grpcPort + "/unknown", 503, "grpc-status NOT_FOUND"},
		{"grpc/" + barePort + "/", 503, "grpc-status UNIMPLEMENTED"},
		{"grpc/" + nobody + "/", 503, "refused"},
		{"grpc/" + httpPort + "/", 503, ""},
		{"http/" + httpPort + "/200", 200, "HTTP status 200"},
		{"http/" + httpPort + "/200?x=1", 200, "HTTP status 200"},
		{"http/" + httpPort + "/302", 200, "HTTP status 302"},
		{"http/" + httpPort + "/404", 503, "HTTP status 404"},
		{"http/" + httpPort + "/200?bad", 503, "HTTP status 500"},
		{"http/" + nobody + "/200", 503, "no answer"},
		{"http/" + portOf(t, silent.Address) + "/200", 503, "no answer"},
		{"tcp/" + httpPort, 200, "connected"},
		{"tcp/" + nobody, 503, "refused"},
		{"udp/53", 503, "cannot be asked"},
		{"tcp/0", 503, "cannot be asked"},
	}
	var listed []string
	for _, row := range rows {
		listed = append(listed, "/probe/"+row.path)
	}
	p := startProbed(t, append(listed, "/probe/http/"+httpPort+"/hangs")...)
	for _, row := range rows {
		if status, body := p.Get("/probe/" + row.path); status != row.status || !strings.Contains(body, row.says) {
			t.Errorf("%s: %d %q, expected %d %q", row.path, status, body, row.status, row.says)
		}
	}
	// a caller that gives up takes nobody with it, and there is an end to how many may hang
	refused := make(chan string, 80)
	for range 80 {
		go func() {
			status, body := p.Get("/probe/http/" + httpPort + "/hangs")
			refused <- fmt.Sprint(status, body)
		}()
	}
	for range 64 {
		<-entered
	}
	for range 16 {
		if got := <-refused; !strings.Contains(got, "503too many probes") {
			t.Errorf("one probe too many: %s", got)
		}
	}
	for range 64 {
		<-refused // after two seconds the client gives up
	}
	if status, _ := p.Get("/ready"); status != 200 {
		t.Errorf("/ready: %d", status)
	}
}

func startProbed(t *testing.T, listed ...string) *proxy.Proxy {
	t.Helper()
	listen := proxy.Address(t)
	return proxy.StartWith(t, fmt.Sprintf("inbound: [ { listen: %q, tls: off, forward: %q } ]\n", listen, "127.0.0.1:1"),
		proxy.Options{Env: []string{"OUTRIGGER_PROBES=" + strings.Join(listed, " ")}})
}
