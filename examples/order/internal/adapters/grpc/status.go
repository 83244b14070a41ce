package grpc

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/outrigger/examples/internal/reply"
	"github.com/outrigger/examples/order/internal/application/core/domain"
)

func toStatus(err error) error {
	var invalid *domain.InvalidError
	var step *domain.StepError
	var store *domain.StoreError
	switch {
	case errors.As(err, &invalid):
		return badRequest(invalid)
	case errors.As(err, &step):
		return stepStatus(step)
	case errors.Is(err, domain.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, domain.ErrExists):
		return status.Error(codes.AlreadyExists, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	case errors.As(err, &store):
		return reply.Because(codes.Unavailable, err, "ORDER_UNCERTAIN")
	}
	return status.Error(codes.Internal, err.Error())
}

func badRequest(invalid *domain.InvalidError) error {
	details := &errdetails.BadRequest{}
	for _, field := range invalid.Fields {
		details.FieldViolations = append(details.FieldViolations,
			&errdetails.BadRequest_FieldViolation{Field: field.Field, Description: field.Why})
	}
	return reply.With(status.New(codes.InvalidArgument, invalid.Error()), details)
}

// stepStatus keeps the code and the details of what a service, or a sidecar on the way, said, such as a RetryInfo, and adds
// what it means for the order.
func stepStatus(step *domain.StepError) error {
	reason := strings.ToUpper(string(step.Step)) + "_UNCERTAIN"
	if step.Order.Status == domain.Cancelling || step.Order.Status == domain.Cancelled {
		reason = strings.ToUpper(string(step.Step)) + "_REFUSED"
	}
	said := saidBy(step.Cause)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: reason, Domain: reply.Domain,
		Metadata: map[string]string{"order": step.Order.ID, "status": string(step.Order.Status)},
	}}
	for _, detail := range said.Details() {
		if message, known := detail.(protoadapt.MessageV1); known {
			details = append(details, message)
		}
	}
	message := "order " + step.Order.ID + " is " + string(step.Order.Status) + ": " + said.Message()
	return reply.With(status.New(said.Code(), message), details...)
}

func saidBy(cause error) *status.Status {
	var store *domain.StoreError
	switch {
	case errors.As(cause, &store):
		return status.New(codes.Unavailable, cause.Error())
	case errors.Is(cause, domain.ErrChanged):
		return status.New(codes.Aborted, cause.Error())
	}
	return status.Convert(cause)
}
