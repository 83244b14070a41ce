// Command shipping serves shipping.v1.Shipping. It is configured by its environment: see examples/README.md.
package main

import (
	"log/slog"
	"os"
	"strings"

	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/internal/trouble"
	"github.com/outrigger/examples/shipping"
)

func main() {
	if err := run(); err != nil {
		slog.Error("shipping ends", "error", err)
		os.Exit(1)
	}
}

func run() error {
	asked, err := trouble.Asked("SHIPPING")
	if err != nil {
		return err
	}
	service, closeAll, err := shipping.New(shipping.Config{
		Instance:   serve.Env("SHIPPING_INSTANCE", "shipping"),
		Folder:     serve.Env("SHIPPING_FOLDER", "shipments"),
		OutOfStock: strings.Split(os.Getenv("SHIPPING_OUT_OF_STOCK"), ","),
		Trouble:    asked,
	})
	if err != nil {
		return err
	}
	defer closeAll()
	return serve.Run(serve.Env("SHIPPING_LISTEN", "127.0.0.1:50052"), service)
}
