// Package payment puts the parts of the payment service together.
package payment

import (
	"time"

	"google.golang.org/grpc"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/internal/trouble"
	adapter "github.com/outrigger/examples/payment/internal/adapters/grpc"
	"github.com/outrigger/examples/payment/internal/adapters/ledger"
	"github.com/outrigger/examples/payment/internal/application/core/api"
)

// Config is what one instance needs to know.
type Config struct {
	Instance     string          // its name, and that of its ledger file
	LedgerFolder string          // shared by all instances
	ReviewFrom   int64           // charges of at least so many cents are reviewed first; 0: none
	ReviewTakes  time.Duration   // how long that takes
	Trouble      trouble.Trouble // none unless asked for
}

// New opens the ledger and returns the service. Call close once the service has ended.
func New(config Config) (service serve.Service, closeAll func() error, err error) {
	book, err := ledger.Open(config.LedgerFolder, config.Instance)
	if err != nil {
		return serve.Service{}, nil, err
	}
	core := api.New(config.Instance, book, api.Review{FromCents: config.ReviewFrom, Takes: config.ReviewTakes})
	return serve.Service{
		Name:     paymentv1.Payment_ServiceDesc.ServiceName,
		Register: func(server *grpc.Server) { paymentv1.RegisterPaymentServer(server, adapter.New(core)) },
		Options:  []grpc.ServerOption{grpc.UnaryInterceptor(config.Trouble.Intercept)},
		Stopping: core.Stop,
	}, book.Close, nil
}
