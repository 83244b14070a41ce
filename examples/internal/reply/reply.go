// Package reply makes the errors that the services answer with: a status with details that say more than its code.
package reply

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

// Domain is that of the ErrorInfo of all services of the shop.
const Domain = "shop.example"

// BadRequest is INVALID_ARGUMENT, and names the field.
func BadRequest(field, why string) error {
	return With(status.New(codes.InvalidArgument, field+": "+why), &errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: field, Description: why}},
	})
}

// Because is the error with a code, and an ErrorInfo with a reason.
func Because(code codes.Code, err error, reason string) error {
	return With(status.New(code, err.Error()), &errdetails.ErrorInfo{Reason: reason, Domain: Domain})
}

// With adds details to a status and returns it as an error.
func With(plain *status.Status, details ...protoadapt.MessageV1) error {
	detailed, err := plain.WithDetails(details...)
	if err != nil {
		return plain.Err()
	}
	return detailed.Err()
}
