// Package order puts the parts of the order service together.
package order

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/order/internal/adapters/db"
	adapter "github.com/outrigger/examples/order/internal/adapters/grpc"
	"github.com/outrigger/examples/order/internal/adapters/payment"
	"github.com/outrigger/examples/order/internal/adapters/shipping"
	"github.com/outrigger/examples/order/internal/application/core/api"
	"github.com/outrigger/examples/order/internal/application/core/domain"
	"github.com/outrigger/examples/order/internal/ports"
)

// Config is what the service needs to know.
type Config struct {
	Database   string           // postgres://..., or the path of an SQLite file
	ToPayment  *grpc.ClientConn // taken over
	ToShipping *grpc.ClientConn // taken over; nil: nothing is shipped, an order is done once it is paid
	StepTime   time.Duration    // how long a step of an order may take, and half of what it is held for
}

// A database server that is just starting is waited for.
const databaseWithin = 30 * time.Second

// New opens the database and returns the service, which goes on with the orders of its predecessors from now on. Call close
// once the service has ended.
func New(config Config) (service serve.Service, closeAll func() error, err error) {
	orders, err := db.Open(config.Database, databaseWithin)
	if err != nil {
		return serve.Service{}, nil, err
	}
	core := api.New(orders, payment.New(config.ToPayment), shippingOf(config), config.StepTime)
	stop, cancel := context.WithCancel(context.Background())
	recovered := make(chan struct{})
	go func() {
		core.Recover(stop, tell)
		close(recovered)
	}()
	return serve.Service{
			Name:     orderv1.Order_ServiceDesc.ServiceName,
			Register: func(server *grpc.Server) { orderv1.RegisterOrderServer(server, adapter.New(core)) },
		}, func() error {
			cancel()
			<-recovered
			err := errors.Join(config.ToPayment.Close(), orders.Close())
			if config.ToShipping != nil {
				err = errors.Join(err, config.ToShipping.Close())
			}
			return err
		}, nil
}

func shippingOf(config Config) ports.Shipping {
	if config.ToShipping == nil {
		return shipping.None{}
	}
	return shipping.New(config.ToShipping)
}

// tell logs what became of an order that was gone on with.
func tell(id string, order domain.Order, err error) {
	switch {
	case id == "":
		slog.Warn("cannot look for open orders", "error", err)
	case err != nil:
		slog.Warn("order is still open", "id", id, "status", order.Status, "error", err)
	default:
		slog.Info("order gone on with", "id", id, "status", order.Status, "why", order.Why)
	}
}
