// Package grpc offers the core as order.v1.Order.
package grpc

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Server implements orderv1.OrderServer.
type Server struct {
	orderv1.UnimplementedOrderServer
	api ports.API
}

// New makes a server of the core.
func New(api ports.API) *Server { return &Server{api: api} }

// CreateOrder implements orderv1.OrderServer.
func (s *Server) CreateOrder(ctx context.Context, in *orderv1.CreateOrderRequest) (*orderv1.CreateOrderResponse, error) {
	order := domain.Order{ID: in.GetId(), Customer: in.GetCustomer()}
	for _, item := range in.GetItems() {
		order.Items = append(order.Items, domain.Item{
			Product: item.GetProduct(), UnitPriceCents: item.GetUnitPriceCents(), Quantity: item.GetQuantity(),
		})
	}
	order, err := s.api.Place(ctx, order)
	if err != nil {
		return nil, toStatus(err)
	}
	return &orderv1.CreateOrderResponse{Order: toProto(order)}, nil
}

// GetOrder implements orderv1.OrderServer.
func (s *Server) GetOrder(ctx context.Context, in *orderv1.GetOrderRequest) (*orderv1.GetOrderResponse, error) {
	order, err := s.api.Get(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return &orderv1.GetOrderResponse{Order: toProto(order)}, nil
}

// SettleOrder implements orderv1.OrderServer.
func (s *Server) SettleOrder(ctx context.Context, in *orderv1.SettleOrderRequest) (*orderv1.SettleOrderResponse, error) {
	order, err := s.api.Settle(ctx, in.GetId())
	if err != nil {
		return nil, toStatus(err)
	}
	return &orderv1.SettleOrderResponse{Order: toProto(order)}, nil
}

func toProto(order domain.Order) *orderv1.OrderRecord {
	out := &orderv1.OrderRecord{
		Id: order.ID, Customer: order.Customer, Status: toProtoStatus(order.Status),
		ChargedBy: order.ChargedBy, CreatedAt: timestamppb.New(order.CreatedAt), Tracking: order.Tracking,
		Why: order.Why, RefundedCents: order.RefundedCents,
	}
	for _, item := range order.Items {
		out.Items = append(out.Items, &orderv1.Item{
			Product: item.Product, UnitPriceCents: item.UnitPriceCents, Quantity: item.Quantity,
		})
	}
	return out
}

func toProtoStatus(status domain.Status) orderv1.OrderStatus {
	switch status {
	case domain.Pending:
		return orderv1.OrderStatus_ORDER_STATUS_PENDING
	case domain.Charging:
		return orderv1.OrderStatus_ORDER_STATUS_CHARGING
	case domain.Paid:
		return orderv1.OrderStatus_ORDER_STATUS_PAID
	case domain.Done:
		return orderv1.OrderStatus_ORDER_STATUS_DONE
	case domain.Cancelling:
		return orderv1.OrderStatus_ORDER_STATUS_CANCELLING
	case domain.Cancelled:
		return orderv1.OrderStatus_ORDER_STATUS_CANCELLED
	}
	return orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED
}
