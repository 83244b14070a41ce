// Package payment reaches the payment service over gRPC.
package payment

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	"github.com/outrigger/examples/order/internal/adapters/remote"
	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Client implements ports.Payment.
type Client struct{ payment paymentv1.PaymentClient }

var _ ports.Payment = (*Client)(nil)

// New uses a connection that the caller owns.
func New(connection grpc.ClientConnInterface) *Client {
	return &Client{payment: paymentv1.NewPaymentClient(connection)}
}

// Charge implements ports.Payment. It sets no deadline of its own: the caller's travels on, and how long a charge may
// take at most is the sidecar's policy.
func (c *Client) Charge(ctx context.Context, order domain.Order) (string, error) {
	answer, err := c.payment.Charge(ctx, &paymentv1.ChargeRequest{
		Id: order.ID, Customer: order.Customer, AmountCents: order.TotalCents(),
	})
	if err != nil {
		return "", remote.Judge(err, remote.Refused(err) || remote.NeverSent(err))
	}
	return answer.GetCharge().GetInstance(), nil
}

// ChargedBy implements ports.Payment.
func (c *Client) ChargedBy(ctx context.Context, id string) (string, error) {
	answer, err := c.payment.GetPayment(ctx, &paymentv1.GetPaymentRequest{Id: id})
	if status.Code(err) == codes.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return answer.GetCharges()[0].GetInstance(), nil
}

// Refund implements ports.Payment.
func (c *Client) Refund(ctx context.Context, id string) (int64, error) {
	answer, err := c.payment.Refund(ctx, &paymentv1.RefundRequest{Id: id})
	if err != nil {
		return 0, err
	}
	return answer.GetAmountCents(), nil
}
