// Command shop is a customer of the order service and a small helper for scripts that run the services.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: shop COMMAND [OPTIONS]     (shop COMMAND -h shows the options)
  place    places orders, prints what became of each, and a summary
  ask      asks payment about orders that were paid, prints each answer, and a summary
  watch    watches the charges that one payment instance makes
  wait     waits until services serve and sidecars are ready
  ports    prints free loopback ports
  page     prints a page of a sidecar
  certificates   makes key pairs for services that are tried out
`

var commands = map[string]func(ctx context.Context, args []string) error{
	"place":        place,
	"ask":          ask,
	"watch":        watch,
	"wait":         wait,
	"ports":        ports,
	"page":         page,
	"certificates": certificates,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	err := commands[os.Args[1]](ctx, os.Args[2:])
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "shop %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
