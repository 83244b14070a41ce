package main

import (
	"fmt"
	"slices"
	"sort"
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

// side is one of two proxies whose CPU time is compared.
type side struct {
	proxy  *proxy.Proxy
	client *caller.Client
	costs  []float64 // microseconds a call, a round each
}

func (s *side) round(stage *stage, n int) {
	before := s.proxy.CPU()
	samples := stage.loadOn(s.client, 1000, n, 5*time.Second, charge, get)
	s.costs = append(s.costs, float64((s.proxy.CPU()-before).Nanoseconds())/1000/float64(len(samples)))
	if n := failures(samples); n > 0 {
		stage.Errorf("%.0f calls failed: %v", n, why(samples))
	}
}

// quartile is the lower one: what other work on the machine adds to a round is left out.
func (s *side) quartile() float64 {
	return slices.Sorted(slices.Values(s.costs))[len(s.costs)/4]
}

func runCost(h *host, r *row) {
	s := newStage(h, "", idempotent)
	without := side{proxy: s.proxy, client: s.client}
	all := policy(idempotent, `descriptors: `+h.descriptors(), budget,
		`retry: { max_attempts: 3, on: [UNAVAILABLE], per_try_timeout: 1s }`,
		`circuit_breaker: { consecutive_failures: 5, failure_rate: {}, slow_calls: { longer_than: 1s } }`)
	var with side
	with.proxy, with.client = s.before("balance: peak_ewma", all)
	for range 20 {
		without.round(s, calls(1000))
		with.round(s, calls(1000))
	}
	r.want("CPU a call, of that without policies", with.quartile()/without.quartile(), "<=", 1.08, " x")
	r.note("µs a call, lower quartiles of rounds in turn: without %.1f, with %.1f", without.quartile(), with.quartile())
	r.note("without %s; with %s", micros(without.costs), micros(with.costs))
	r.note("the comparison with nghttpx is scripts/bench --peers")
}

func micros(costs []float64) string {
	text := ""
	for _, c := range costs {
		text += fmt.Sprintf("%.1f ", c)
	}
	return text[:len(text)-1]
}
