// Command order serves order.v1.Order. It is configured by its environment: see examples/README.md.
package main

import (
	"log/slog"
	"os"

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
	toPayment, err := order.Dial(serve.Env("PAYMENT_ADDRESS", "127.0.0.1:15001"), os.Getenv("PAYMENT_AUTHORITY"))
	if err != nil {
		return err
	}
	service, closeAll, err := order.New(serve.Env("ORDER_DATABASE", "order.db"), toPayment)
	if err != nil {
		return err
	}
	defer closeAll()
	return serve.Run(serve.Env("ORDER_LISTEN", "127.0.0.1:50050"), service)
}
