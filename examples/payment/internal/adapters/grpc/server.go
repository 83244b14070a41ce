// Package grpc offers the core as payment.v1.Payment.
package grpc

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	"github.com/outrigger/examples/internal/reply"
	"github.com/outrigger/examples/payment/internal/application/core/domain"
	"github.com/outrigger/examples/payment/internal/ports"
)

// Server implements paymentv1.PaymentServer.
type Server struct {
	paymentv1.UnimplementedPaymentServer
	api ports.API
}

// New makes a server of the core.
func New(api ports.API) *Server { return &Server{api: api} }

// Charge implements paymentv1.PaymentServer.
func (s *Server) Charge(ctx context.Context, in *paymentv1.ChargeRequest) (*paymentv1.ChargeResponse, error) {
	charge, err := s.api.Charge(ctx, domain.Charge{
		ID: in.GetId(), Customer: in.GetCustomer(), AmountCents: in.GetAmountCents(),
	})
	if err != nil {
		return nil, toStatus(err)
	}
	return &paymentv1.ChargeResponse{Charge: toProto(charge)}, nil
}

// Refund implements paymentv1.PaymentServer.
func (s *Server) Refund(ctx context.Context, in *paymentv1.RefundRequest) (*paymentv1.RefundResponse, error) {
	refund, err := s.api.Refund(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return &paymentv1.RefundResponse{AmountCents: refund.AmountCents, Instance: refund.Instance}, nil
}

// GetPayment implements paymentv1.PaymentServer.
func (s *Server) GetPayment(ctx context.Context, in *paymentv1.GetPaymentRequest) (*paymentv1.GetPaymentResponse, error) {
	charges, refunded, err := s.api.Find(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	out := &paymentv1.GetPaymentResponse{Refunded: refunded}
	for _, charge := range charges {
		out.Charges = append(out.Charges, toProto(charge))
	}
	return out, nil
}

// WatchCharges implements paymentv1.PaymentServer.
func (s *Server) WatchCharges(_ *paymentv1.WatchChargesRequest,
	stream grpc.ServerStreamingServer[paymentv1.WatchChargesResponse]) error {
	var instance string
	ready := func(name string) error {
		instance = name
		return stream.Send(&paymentv1.WatchChargesResponse{Instance: name})
	}
	each := func(charge domain.Charge) error {
		return stream.Send(&paymentv1.WatchChargesResponse{Instance: instance, Charge: toProto(charge)})
	}
	return toStatus(s.api.Watch(stream.Context(), ready, each))
}

func toProto(charge domain.Charge) *paymentv1.Charge {
	return &paymentv1.Charge{
		Id: charge.ID, Customer: charge.Customer, AmountCents: charge.AmountCents,
		Instance: charge.Instance, ChargedAt: timestamppb.New(charge.ChargedAt),
	}
}

func toStatus(err error) error {
	var field *domain.FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &field):
		return reply.BadRequest(field.Field, field.Why)
	case errors.Is(err, domain.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, domain.ErrRefunded):
		return reply.Because(codes.FailedPrecondition, err, "REFUNDED")
	case errors.Is(err, domain.ErrTooSlow):
		return status.Error(codes.ResourceExhausted, err.Error())
	case errors.Is(err, domain.ErrStopping):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	if made, ok := status.FromError(err); ok {
		return made.Err()
	}
	return status.Error(codes.Internal, err.Error())
}
