// Package remote tells a step that certainly was not made from one that nobody knows about, by what a service or a sidecar on
// the way to it said.
package remote

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/outrigger/examples/order/internal/application/core/domain"
)

// Reasons (ErrorInfo, domain "outrigger") that a sidecar gives for a call that it never sent on.
var neverSent = map[string]bool{
	"NO_ROUTE": true, "NO_ENDPOINT": true, "BREAKER_OPEN": true, "OVERLOADED": true, "RATE_LIMITED": true,
	"NOT_ALLOWED": true, "NO_IDENTITY": true,
}

// Refused tells that the service itself has said no, or had no such method.
func Refused(err error) bool {
	if fromSidecar(err) != "" {
		return false
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.FailedPrecondition, codes.PermissionDenied, codes.Unauthenticated, codes.Unimplemented:
		return true
	}
	return false
}

// NeverSent tells that a sidecar has not sent the call on.
func NeverSent(err error) bool { return neverSent[fromSidecar(err)] }

// Judge is the error as the core wants it.
func Judge(err error, refused bool) error {
	if refused {
		return &domain.RefusedError{Why: status.Convert(err).Message(), Cause: err}
	}
	return err
}

func fromSidecar(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == "outrigger" {
			return info.GetReason()
		}
	}
	return ""
}
