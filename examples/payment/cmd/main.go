// Command payment serves payment.v1.Payment. It is configured by its environment: see examples/README.md.
package main

import (
	"log/slog"
	"os"
	"strconv"
	"time"

	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/internal/trouble"
	"github.com/outrigger/examples/payment"
)

func main() {
	if err := run(); err != nil {
		slog.Error("payment ends", "error", err)
		os.Exit(1)
	}
}

func run() error {
	reviewTakes, err := serve.EnvDuration("PAYMENT_REVIEW_TAKES", 5*time.Second)
	if err != nil {
		return err
	}
	reviewFrom, err := strconv.ParseInt(serve.Env("PAYMENT_REVIEW_FROM_CENTS", "0"), 10, 64)
	if err != nil {
		return err
	}
	asked, err := trouble.Asked("PAYMENT")
	if err != nil {
		return err
	}
	service, closeAll, err := payment.New(payment.Config{
		Instance:     serve.Env("PAYMENT_INSTANCE", "payment"),
		LedgerFolder: serve.Env("PAYMENT_LEDGER_FOLDER", "ledger"),
		ReviewFrom:   reviewFrom,
		ReviewTakes:  reviewTakes,
		Trouble:      asked,
	})
	if err != nil {
		return err
	}
	defer closeAll()
	return serve.Run(serve.Env("PAYMENT_LISTEN", "127.0.0.1:50051"), service)
}
