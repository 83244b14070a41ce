// Package payment reaches the payment service over gRPC, and tells a charge that was certainly not made from one that
// nobody knows about.
package payment

import (
	"context"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Reasons (ErrorInfo, domain "outrigger") that a sidecar gives for a call that it never sent on.
var neverSent = map[string]bool{
	"NO_ROUTE": true, "NO_ENDPOINT": true, "BREAKER_OPEN": true, "OVERLOADED": true, "RATE_LIMITED": true,
	"NOT_ALLOWED": true, "NO_IDENTITY": true,
}

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
		return "", judge(err)
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

// judge marks the errors after which nothing was charged.
func judge(err error) error {
	said := status.Convert(err)
	switch said.Code() {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return &domain.RefusedError{Cause: err}
	}
	for _, detail := range said.Details() {
		info, isInfo := detail.(*errdetails.ErrorInfo)
		if isInfo && info.GetDomain() == "outrigger" && neverSent[info.GetReason()] {
			return &domain.RefusedError{Cause: err}
		}
	}
	return err
}
