// Command order serves order.v1.Order. It is configured by its environment: see examples/README.md.
package main

import (
	"log/slog"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/order"
)

func main() {
	if err := run(); err != nil {
		slog.Error("order ends", "error", err)
		os.Exit(1)
	}
}

func run() error {
	stepTime, err := serve.EnvDuration("ORDER_STEP_TIME", 10*time.Second)
	if err != nil {
		return err
	}
	toPayment, err := serve.Dial(serve.Env("PAYMENT_ADDRESS", "127.0.0.1:15001"), os.Getenv("PAYMENT_AUTHORITY"))
	if err != nil {
		return err
	}
	toShipping, err := dialShipping(serve.Env("SHIPPING_ADDRESS", "127.0.0.1:15002"), os.Getenv("SHIPPING_AUTHORITY"))
	if err != nil {
		return err
	}
	service, closeAll, err := order.New(order.Config{
		Database:   serve.Env("ORDER_DATABASE", "order.db"),
		ToPayment:  toPayment,
		ToShipping: toShipping,
		StepTime:   stepTime,
	})
	if err != nil {
		return err
	}
	defer closeAll()
	return serve.Run(serve.Env("ORDER_LISTEN", "127.0.0.1:50050"), service)
}

func dialShipping(addresses, authority string) (*grpc.ClientConn, error) {
	if addresses == "none" {
		return nil, nil
	}
	return serve.Dial(addresses, authority)
}
