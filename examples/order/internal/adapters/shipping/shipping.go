// Package shipping reaches the shipping service over gRPC.
package shipping

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	shippingv1 "github.com/outrigger/examples/gen/shipping/v1"
	"github.com/outrigger/examples/order/internal/adapters/remote"
	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Client implements ports.Shipping.
type Client struct{ shipping shippingv1.ShippingClient }

var _ ports.Shipping = (*Client)(nil)

// New uses a connection that the caller owns.
func New(connection grpc.ClientConnInterface) *Client {
	return &Client{shipping: shippingv1.NewShippingClient(connection)}
}

// Ship implements ports.Shipping. Only what shipping itself refuses is refused for good: what a sidecar did not send on can be
// sent later.
func (c *Client) Ship(ctx context.Context, order domain.Order) (string, error) {
	request := &shippingv1.ShipRequest{Id: order.ID, Customer: order.Customer}
	for _, item := range order.Items {
		request.Parcels = append(request.Parcels, &shippingv1.Parcel{Product: item.Product, Quantity: item.Quantity})
	}
	answer, err := c.shipping.Ship(ctx, request)
	if err != nil {
		return "", remote.Judge(err, remote.Refused(err))
	}
	return answer.GetShipment().GetTracking(), nil
}

// Tracking implements ports.Shipping.
func (c *Client) Tracking(ctx context.Context, id string) (string, error) {
	answer, err := c.shipping.GetShipment(ctx, &shippingv1.GetShipmentRequest{Id: id})
	if status.Code(err) == codes.NotFound || err == nil && answer.GetShipment().GetCancelled() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return answer.GetShipment().GetTracking(), nil
}

// CallBack implements ports.Shipping.
func (c *Client) CallBack(ctx context.Context, id string) error {
	_, err := c.shipping.CancelShipment(ctx, &shippingv1.CancelShipmentRequest{Id: id})
	return err
}

// None implements ports.Shipping where goods need not be shipped: an order is done once it is paid.
type None struct{}

var _ ports.Shipping = None{}

// Ship implements ports.Shipping.
func (None) Ship(context.Context, domain.Order) (string, error) { return "", nil }

// Tracking implements ports.Shipping.
func (None) Tracking(context.Context, string) (string, error) { return "", nil }

// CallBack implements ports.Shipping.
func (None) CallBack(context.Context, string) error { return nil }
