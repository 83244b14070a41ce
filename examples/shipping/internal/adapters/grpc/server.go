// Package grpc offers the core as shipping.v1.Shipping.
package grpc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	shippingv1 "github.com/outrigger/examples/gen/shipping/v1"
	"github.com/outrigger/examples/internal/reply"
	"github.com/outrigger/examples/shipping/internal/application/core/domain"
	"github.com/outrigger/examples/shipping/internal/ports"
)

// Server implements shippingv1.ShippingServer.
type Server struct {
	shippingv1.UnimplementedShippingServer
	api ports.API
}

// New makes a server of the core.
func New(api ports.API) *Server { return &Server{api: api} }

// Ship implements shippingv1.ShippingServer.
func (s *Server) Ship(ctx context.Context, in *shippingv1.ShipRequest) (*shippingv1.ShipResponse, error) {
	wanted := domain.Shipment{ID: in.GetId(), Customer: in.GetCustomer()}
	for _, parcel := range in.GetParcels() {
		wanted.Parcels = append(wanted.Parcels, domain.Parcel{Product: parcel.GetProduct(), Quantity: parcel.GetQuantity()})
	}
	shipment, err := s.api.Ship(ctx, wanted)
	if err != nil {
		return nil, toStatus(err)
	}
	return &shippingv1.ShipResponse{Shipment: toProto(shipment)}, nil
}

// GetShipment implements shippingv1.ShippingServer.
func (s *Server) GetShipment(ctx context.Context, in *shippingv1.GetShipmentRequest) (*shippingv1.GetShipmentResponse, error) {
	shipment, err := s.api.Find(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return &shippingv1.GetShipmentResponse{Shipment: toProto(shipment)}, nil
}

// CancelShipment implements shippingv1.ShippingServer.
func (s *Server) CancelShipment(ctx context.Context,
	in *shippingv1.CancelShipmentRequest) (*shippingv1.CancelShipmentResponse, error) {
	calledBack, err := s.api.Cancel(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return &shippingv1.CancelShipmentResponse{CalledBack: calledBack}, nil
}

func toProto(shipment domain.Shipment) *shippingv1.Shipment {
	return &shippingv1.Shipment{
		Id: shipment.ID, Customer: shipment.Customer, Tracking: shipment.Tracking, Cancelled: shipment.Cancelled,
		ShippedAt: timestamppb.New(shipment.ShippedAt),
	}
}

func toStatus(err error) error {
	var field *domain.FieldError
	var stock *domain.StockError
	switch {
	case errors.As(err, &field):
		return reply.BadRequest(field.Field, field.Why)
	case errors.As(err, &stock):
		return outOfStock(stock)
	case errors.Is(err, domain.ErrCancelled):
		return reply.Because(codes.FailedPrecondition, err, "CANCELLED")
	case errors.Is(err, domain.ErrNotFound):
		return status.Error(codes.NotFound, err.Error())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	return status.Error(codes.Internal, err.Error())
}

func outOfStock(err *domain.StockError) error {
	return reply.With(status.New(codes.FailedPrecondition, err.Error()),
		&errdetails.ErrorInfo{Reason: "OUT_OF_STOCK", Domain: reply.Domain, Metadata: map[string]string{"product": err.Product}},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: "STOCK", Subject: err.Product, Description: "none is left"},
		}})
}
