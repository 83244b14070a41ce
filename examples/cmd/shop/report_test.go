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
	paid, unpaid := orderv1.OrderStatus_ORDER_STATUS_PAID, orderv1.OrderStatus_ORDER_STATUS_UNPAID
	r := summarize([]placed{
		{status: paid, by: "one", took: 10 * time.Millisecond},
		{status: paid, by: "two", took: 20 * time.Millisecond},
		{status: paid, by: "two", took: time.Hour, why: "reset, then found paid", code: codes.Unavailable},
		{status: unpaid, took: time.Hour, why: "refused", code: codes.Unavailable},
	})
	want := "placed=4\npaid=3\nunpaid=1\nerrors=2\np50_us=10000\np99_us=20000\n"
	if r.lines() != want || r.by["two"] != 2 || r.codes["Unavailable"] != 2 {
		t.Errorf("got %s%+v", r.lines(), r)
	}
}

func TestOnlyOrderItselfCanSayUnpaid(t *testing.T) {
	refused, err := status.New(codes.Unavailable, "no").WithDetails(
		&errdetails.ErrorInfo{Domain: "shop.example", Reason: "PAYMENT_REFUSED"})
	if err != nil {
		t.Fatal(err)
	}
	if got := statusAfter(refused.Err()); got != orderv1.OrderStatus_ORDER_STATUS_UNPAID {
		t.Errorf("refused: %v", got)
	}
	if got := statusAfter(status.Error(codes.DeadlineExceeded, "")); got != orderv1.OrderStatus_ORDER_STATUS_UNCERTAIN {
		t.Errorf("deadline: %v", got)
	}
}
