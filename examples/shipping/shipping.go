// Package shipping puts the parts of the shipping service together.
package shipping

import (
	"google.golang.org/grpc"

	shippingv1 "github.com/outrigger/examples/gen/shipping/v1"
	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/internal/trouble"
	"github.com/outrigger/examples/shipping/internal/adapters/book"
	adapter "github.com/outrigger/examples/shipping/internal/adapters/grpc"
	"github.com/outrigger/examples/shipping/internal/application/core/api"
)

// Config is what the service needs to know.
type Config struct {
	Instance   string          // its name, and that of its file
	Folder     string          // where shipments are kept, shared by all instances
	OutOfStock []string        // products that are never shipped
	Trouble    trouble.Trouble // none unless asked for
}

// New opens its file and returns the service. Call close once the service has ended.
func New(config Config) (service serve.Service, closeAll func() error, err error) {
	shipments, err := book.Open(config.Folder, config.Instance)
	if err != nil {
		return serve.Service{}, nil, err
	}
	core := api.New(shipments, config.OutOfStock)
	return serve.Service{
		Name:     shippingv1.Shipping_ServiceDesc.ServiceName,
		Register: func(server *grpc.Server) { shippingv1.RegisterShippingServer(server, adapter.New(core)) },
		Options:  []grpc.ServerOption{grpc.UnaryInterceptor(config.Trouble.Intercept)},
	}, shipments.Close, nil
}
