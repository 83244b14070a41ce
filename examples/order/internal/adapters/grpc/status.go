package grpc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// The domain of the ErrorInfo that this service adds.
const errorDomain = "shop.example"

func toStatus(err error) error {
	var field *domain.FieldError
	var charge *domain.ChargeError
	switch {
	case errors.As(err, &field):
		return with(status.New(codes.InvalidArgument, field.Error()), &errdetails.BadRequest{
			FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field.Field, Description: field.Why}},
		})
	case errors.As(err, &charge):
		return chargeStatus(charge)
	case errors.Is(err, domain.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, domain.ErrExists):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	if said, ok := status.FromError(err); ok {
		return said.Err()
	}
	return status.Error(codes.Internal, err.Error())
}

// chargeStatus keeps the code and the details of what payment, or a sidecar on the way, said, and adds what it means
// for the order.
func chargeStatus(charge *domain.ChargeError) error {
	reason := "PAYMENT_UNCERTAIN"
	if charge.Order.Status == domain.Unpaid {
		reason = "PAYMENT_REFUSED"
	}
	said := status.Convert(charge.Cause)
	message := "order " + charge.Order.ID + " is " + string(charge.Order.Status) + ": " + said.Message()
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: reason, Domain: errorDomain, Metadata: map[string]string{"order": charge.Order.ID},
	}}
	for _, detail := range said.Details() {
		if message, known := detail.(protoadapt.MessageV1); known {
			details = append(details, message)
		}
	}
	return with(status.New(said.Code(), message), details...)
}

func with(plain *status.Status, details ...protoadapt.MessageV1) error {
	detailed, err := plain.WithDetails(details...)
	if err != nil {
		return plain.Err()
	}
	return detailed.Err()
}
