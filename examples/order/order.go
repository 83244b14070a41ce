// Package order puts the parts of the order service together.
package order

import (
	"errors"

	"google.golang.org/grpc"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/order/internal/adapters/db"
	adapter "github.com/outrigger/examples/order/internal/adapters/grpc"
	"github.com/outrigger/examples/order/internal/adapters/payment"
	"github.com/outrigger/examples/order/internal/application/core/api"
)

// Dial connects to payment: see the payment adapter.
func Dial(addresses, authority string) (*grpc.ClientConn, error) {
	return payment.Dial(addresses, authority)
}

// New opens the database and returns the service, which charges over the given connection and takes it over. Call close
// once the service has ended.
func New(databasePath string, toPayment *grpc.ClientConn) (service serve.Service, closeAll func() error, err error) {
	orders, err := db.Open(databasePath)
	if err != nil {
		return serve.Service{}, nil, err
	}
	core := api.New(orders, payment.New(toPayment))
	return serve.Service{
			Name:     orderv1.Order_ServiceDesc.ServiceName,
			Register: func(server *grpc.Server) { orderv1.RegisterOrderServer(server, adapter.New(core)) },
		}, func() error {
			return errors.Join(toPayment.Close(), orders.Close())
		}, nil
}
