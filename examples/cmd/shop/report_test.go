package main

import (
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
)

func TestPercentile(t *testing.T) {
	var times []time.Duration
	for i := range 200 {
		times = append(times, time.Duration(i+1))
	}
	for _, c := range []struct {
		of         []time.Duration
		hundredths int
		want       time.Duration
	}{{times, 50, 100}, {times, 99, 198}, {times[:1], 50, 1}, {times[:1], 99, 1}, {times[:3], 50, 2}, {nil, 99, 0}} {
		if got := percentile(c.of, c.hundredths); got != c.want {
			t.Errorf("percentile %d of %d = %d, expected %d", c.hundredths, len(c.of), got, c.want)
		}
	}
}

func TestSummaryCountsEachOrderOnce(t *testing.T) {
	done, cancelled := orderv1.OrderStatus_ORDER_STATUS_DONE, orderv1.OrderStatus_ORDER_STATUS_CANCELLED
	r := summarize([]placed{
		{status: done, by: "one", took: 10 * time.Millisecond},
		{status: done, by: "two", took: 20 * time.Millisecond},
		{status: done, by: "two", took: time.Hour, why: "reset, then found done", code: codes.Unavailable},
		{status: cancelled, took: time.Hour, why: "refused", code: codes.Unavailable},
	})
	want := "placed=4\npaid=3\ncancelled=1\nerrors=2\np50_us=10000\np99_us=20000\n"
	if r.lines() != want || r.by["two"] != 2 || r.codes["Unavailable"] != 2 {
		t.Errorf("got %s%+v", r.lines(), r)
	}
}

func TestOnlyOrderItselfCanSayCancelled(t *testing.T) {
	said := func(how string) error {
		detailed, err := status.New(codes.Unavailable, "no").WithDetails(
			&errdetails.ErrorInfo{Domain: "shop.example", Reason: "PAYMENT_REFUSED", Metadata: map[string]string{"status": how}})
		if err != nil {
			t.Fatal(err)
		}
		return detailed.Err()
	}
	if got := statusAfter(said("cancelled")); got != orderv1.OrderStatus_ORDER_STATUS_CANCELLED {
		t.Errorf("cancelled: %v", got)
	}
	for _, err := range []error{said("cancelling"), status.Error(codes.DeadlineExceeded, "")} {
		if got := statusAfter(err); isEnd(got) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
