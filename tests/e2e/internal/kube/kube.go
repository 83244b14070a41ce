// Package kube is an API server that knows EndpointSlices and nothing else: lists in pages, watches with bookmarks, and
// whatever trouble a test asks for.
package kube

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"outrigger/tests/e2e/internal/cert"
)

// Slice is an EndpointSlice.
type Slice struct {
	Name      string
	Service   string
	Type      string // "" is IPv4
	Endpoints []Endpoint
	Ports     []Port
	Null      bool // endpoints and ports are null
	version   int
}

// Endpoint is one of a slice. Nil conditions are left out.
type Endpoint struct {
	Address                     string
	Ready, Serving, Terminating *bool
	Zones                       []string // hints
	Pod                         string
}

// Port of a slice.
type Port struct {
	Name   string
	Number int
}

// Server is the API server.
type Server struct {
	URL, Token, CA string // the last two are files
	http           *httptest.Server

	mu       sync.Mutex
	changed  *sync.Cond
	version  int
	slices   map[string]Slice
	log      []event
	oldest   int // events before it are forgotten
	token    string
	trouble  func(w http.ResponseWriter, r *http.Request) bool
	requests []Request
	epoch    int // raised to cut watches
	closed   bool
}

// Request is what was asked.
type Request struct {
	At    time.Time
	Watch bool
	Query string
}

type event struct {
	version int
	kind    string
	slice   Slice
}

// Bool is for conditions.
func Bool(v bool) *bool { return &v }

// Start serves until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	ca, dir := cert.New(t), t.TempDir()
	pair := ca.Issue(t, cert.Leaf{IPs: []net.IP{net.IPv4(127, 0, 0, 1)}})
	files := cert.Write(t, dir, "api", pair, ca)
	s := &Server{slices: map[string]Slice{}, version: 1, CA: files.Trust, Token: filepath.Join(dir, "token")}
	s.changed = sync.NewCond(&s.mu)
	s.SetToken(t, "first")
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.http.EnableHTTP2 = true
	s.http.TLS = &tls.Config{Certificates: ca.ServerTLS(t, pair).Certificates}
	s.http.StartTLS()
	s.URL = s.http.URL
	t.Cleanup(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.CutWatches()
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// SetToken changes what is expected, and the file.
func (s *Server) SetToken(t testing.TB, token string) {
	t.Helper()
	s.mu.Lock()
	s.token = token
	s.mu.Unlock()
	next := s.Token + ".next"
	if err := os.WriteFile(next, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, s.Token); err != nil {
		t.Fatal(err)
	}
}

// Put creates or replaces slices.
func (s *Server) Put(slices ...Slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slice := range slices {
		kind := "ADDED"
		if _, ok := s.slices[slice.Name]; ok {
			kind = "MODIFIED"
		}
		s.version++
		slice.version = s.version
		s.slices[slice.Name] = slice
		s.log = append(s.log, event{s.version, kind, slice})
	}
	s.changed.Broadcast()
}

// Delete removes a slice.
func (s *Server) Delete(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	slice := s.slices[name]
	slice.version = s.version
	delete(s.slices, name)
	s.log = append(s.log, event{s.version, "DELETED", slice})
	s.changed.Broadcast()
}

// Bookmark sends one to every watch.
func (s *Server) Bookmark() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.log = append(s.log, event{s.version, "BOOKMARK", Slice{version: s.version}})
	s.changed.Broadcast()
}

// Forget makes every version so far too old to watch from: 410 Gone.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	s.oldest = s.version
	s.log = nil
}

// CutWatches breaks every watch off.
func (s *Server) CutWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.changed.Broadcast()
}

// Trouble answers in the place of the server when it returns true; nil ends it.
func (s *Server) Trouble(f func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	s.trouble = f
	s.mu.Unlock()
	s.CutWatches()
}

// Requests are all so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Lists counts the list requests so far.
func (s *Server) Lists() int {
	n := 0
	for _, r := range s.Requests() {
		if !r.Watch {
			n++
		}
	}
	return n
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	watch := r.URL.Query().Get("watch") != ""
	s.mu.Lock()
	s.requests = append(s.requests, Request{time.Now(), watch, r.URL.RawQuery})
	trouble, token := s.trouble, s.token
	s.mu.Unlock()
	if trouble != nil && trouble(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+token {
		http.Error(w, "who?", http.StatusUnauthorized)
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices") {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	service := strings.TrimPrefix(r.URL.Query().Get("labelSelector"), "kubernetes.io/service-name=")
	if watch {
		s.watch(w, r, service)
	} else {
		s.list(w, r, service)
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request, service string) {
	s.mu.Lock()
	var names []string
	for name, slice := range s.slices {
		if slice.Service == service {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	from := 0
	if after := r.URL.Query().Get("continue"); after != "" {
		from, _ = slices.BinarySearch(names, strings.TrimPrefix(after, "after="))
		from++
	}
	to := min(len(names), from+max(limit, 1))
	metadata := map[string]any{"resourceVersion": strconv.Itoa(s.version)}
	items := []any{}
	for _, name := range names[from:to] {
		items = append(items, object(s.slices[name]))
	}
	if to < len(names) {
		metadata["continue"] = "after=" + names[to-1]
	}
	s.mu.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"kind": "EndpointSliceList", "metadata": metadata, "items": items})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, service string) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	s.mu.Lock()
	defer s.mu.Unlock()
	epoch := s.epoch
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.Context().Done():
			s.changed.Broadcast()
		case <-stop:
		}
	}()
	encoder := json.NewEncoder(w)
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for epoch == s.epoch && r.Context().Err() == nil && !s.closed {
		if from < s.oldest {
			encoder.Encode(map[string]any{"type": "ERROR", "object": map[string]any{"kind": "Status", "code": 410, "reason": "Expired"}})
			return
		}
		for _, e := range s.log {
			if e.version <= from {
				continue
			}
			from = e.version
			if e.kind == "BOOKMARK" || e.slice.Service == service {
				encoder.Encode(map[string]any{"type": e.kind, "object": object(e.slice)})
			}
		}
		w.(http.Flusher).Flush()
		s.changed.Wait()
	}
	panic(http.ErrAbortHandler)
}

func object(s Slice) map[string]any {
	metadata := map[string]any{"name": s.Name, "namespace": "shop", "resourceVersion": strconv.Itoa(s.version),
		"labels": map[string]string{"kubernetes.io/service-name": s.Service}}
	kind := s.Type
	if kind == "" {
		kind = "IPv4"
	}
	out := map[string]any{"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata,
		"addressType": kind, "endpoints": nil, "ports": nil}
	if s.Null {
		return out
	}
	endpoints := []any{}
	for _, e := range s.Endpoints {
		endpoints = append(endpoints, e.object())
	}
	ports := []any{}
	for _, p := range s.Ports {
		ports = append(ports, map[string]any{"name": p.Name, "port": p.Number, "protocol": "TCP"})
	}
	out["endpoints"], out["ports"] = endpoints, ports
	return out
}

func (e Endpoint) object() map[string]any {
	conditions := map[string]any{}
	for name, value := range map[string]*bool{"ready": e.Ready, "serving": e.Serving, "terminating": e.Terminating} {
		if value != nil {
			conditions[name] = *value
		}
	}
	out := map[string]any{"addresses": []string{e.Address}, "conditions": conditions}
	if e.Pod != "" {
		out["targetRef"] = map[string]any{"kind": "Pod", "name": e.Pod, "uid": fmt.Sprintf("uid-%s", e.Pod)}
	}
	if len(e.Zones) > 0 {
		zones := []any{}
		for _, zone := range e.Zones {
			zones = append(zones, map[string]any{"name": zone})
		}
		out["hints"] = map[string]any{"forZones": zones}
	}
	return out
}
