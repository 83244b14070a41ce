package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"

	"outrigger/tests/e2e/internal/caller"
	"outrigger/tests/e2e/internal/endpoint"
	"outrigger/tests/e2e/internal/proxy"
)

func sortByTime(attempts []endpoint.Attempt) {
	sort.Slice(attempts, func(i, j int) bool { return attempts[i].At.Before(attempts[j].At) })
}

// descriptors is the FileDescriptorSet of the payment service.
func (h *host) descriptors() string {
	message := func(name string) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: proto.String(name)}
	}
	method := func(name string, level descriptorpb.MethodOptions_IdempotencyLevel) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: proto.String(name), InputType: proto.String(".payment.v1.Request"), OutputType: proto.String(".payment.v1.Response"),
			Options: &descriptorpb.MethodOptions{IdempotencyLevel: level.Enum()},
		}
	}
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("payment.proto"), Package: proto.String("payment.v1"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{message("Request"), message("Response")},
		Service: []*descriptorpb.ServiceDescriptorProto{{
			Name: proto.String("Payment"),
			Method: []*descriptorpb.MethodDescriptorProto{
				method("Charge", descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN),
				method("GetPayment", descriptorpb.MethodOptions_NO_SIDE_EFFECTS),
			},
		}},
	}}}
	data, err := proto.Marshal(set)
	if err != nil {
		h.Fatal(err)
	}
	return h.write("payment.binpb", data)
}

// side is one of the proxies whose CPU time is compared.
type side struct {
	proxy  *proxy.Proxy
	client *caller.Client
	costs  []float64 // microseconds a call, a round each
}

func (s *side) round(stage *stage) {
	before := s.proxy.CPU()
	samples := stage.loadOn(s.client, 1500, 300, 5*time.Second, charge, get)
	s.costs = append(s.costs, float64((s.proxy.CPU()-before).Nanoseconds())/1000/float64(len(samples)))
	if n := failures(samples); n > 0 {
		stage.Errorf("%.0f calls failed: %v", n, why(samples))
	}
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }

// than is the median over the rounds of what a call costs here, of what it costs there at about the same time.
func (s *side) than(other *side) float64 {
	var ratios []float64
	for i := range s.costs {
		ratios = append(ratios, s.costs[i]/other.costs[i])
	}
	return median(ratios)
}

func runCost(h *host, r *row) {
	s := newStage(h, "", idempotent)
	without := side{proxy: s.proxy, client: s.client}
	all := policy(idempotent, `descriptors: `+h.descriptors(), budget,
		`retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 1s }`,
		`circuit_breaker: { consecutive_failures: 5, failure_rate: {}, slow_calls: { longer_than: 1s } }`)
	var with, again side
	with.proxy, with.client = s.before("balance: peak_ewma", all)
	again.proxy, again.client = s.before("", idempotent)
	for range max(60/divide, 5) { // short rounds in turn: other work on the machine hits all alike
		without.round(s)
		with.round(s)
		again.round(s)
	}
	r.want("CPU a call, of that without policies", with.than(&without), "<=", 1.08, " x")
	r.note("µs a call, medians: without %.1f, with %.1f; a second one without: %.3f x, which is what chance does here",
		median(without.costs), median(with.costs), again.than(&without))
	r.instructions(s, all)
	r.note("the comparison with nghttpx is scripts/bench --peers --policies")
}

// instructions notes what a call costs in user space, which chance does not move: all that is in a run of 4,000 calls
// and not in one of 2,000.
func (r *row) instructions(s *stage, all string) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		r.note("no valgrind, no instructions a call")
		return
	}
	count := func(service, policy string) float64 {
		return (s.executedIn(4000, service, policy) - s.executedIn(2000, service, policy)) / 2000
	}
	without, with := count("", idempotent), count("balance: peak_ewma", all)
	r.note("instructions a call in user space: without %.0f, with %.0f, %.3f x", without, with, with/without)
}

// executedIn is how many instructions a proxy executes in user space from its start to its end around n calls.
func (s *stage) executedIn(n int, service, policy string) float64 {
	file := filepath.Join(s.TempDir(), "callgrind")
	p, client := s.beforeWith(proxy.Options{
		Wrapper: []string{"valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + file}, Args: []string{"--single"},
	}, service, policy)
	if samples := s.loadOn(client, 400, n, 10*time.Second, get); failures(samples) > 0 {
		s.Fatalf("calls failed: %v", why(samples))
	}
	p.Signal(syscall.SIGTERM)
	p.WaitExit(40 * time.Second)
	data, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if total, found := strings.CutPrefix(line, "totals: "); found {
			n, _ := strconv.ParseFloat(strings.TrimSpace(total), 64)
			return n
		}
	}
	s.Fatalf("%s has no totals", file)
	return 0
}
