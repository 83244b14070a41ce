package examples

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	"github.com/outrigger/examples/internal/trouble"
	"github.com/outrigger/examples/payment"
)

func openTrouble(t *testing.T, asked trouble.Trouble) (client paymentv1.PaymentClient, ledger string) {
	t.Helper()
	folder := t.TempDir()
	pay, closePay, err := payment.New(payment.Config{Instance: "p", LedgerFolder: folder, Trouble: asked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePay() })
	connection, _ := start(t, pay)
	return paymentv1.NewPaymentClient(connection), filepath.Join(folder, "p.ledger")
}

// A flaky payment takes the money and then fails behind its headers: who sends that again pays twice.
func TestFlakyPaymentChargesAndFailsInTrailers(t *testing.T) {
	client, ledger := openTrouble(t, trouble.Trouble{FailShare: 1})
	var header metadata.MD
	_, err := client.Charge(context.Background(), &paymentv1.ChargeRequest{Id: "a", Customer: "ada", AmountCents: 1},
		grpc.Header(&header))
	if status.Code(err) != codes.Unavailable || len(header["content-type"]) == 0 {
		t.Errorf("error %v, header %v", err, header)
	}
	if text, err := os.ReadFile(ledger); err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("ledger %q, %v", text, err)
	}
}

// The time that a slow payment waits is the caller's.
func TestSlowPaymentWaits(t *testing.T) {
	client, ledger := openTrouble(t, trouble.Trouble{Delay: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := client.Charge(ctx, &paymentv1.ChargeRequest{Id: "a", Customer: "ada", AmountCents: 1})
	if status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("error %v", err)
	}
	if text, err := os.ReadFile(ledger); err != nil || len(text) != 0 {
		t.Errorf("ledger %q, %v", text, err)
	}
}
