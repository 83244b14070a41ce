package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
)

// watch prints charges as they are made, and ends well after the number that was asked for.
func watch(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	address := flags.String("payment", "127.0.0.1:15001", "address of payment, or of the sidecar that leads there")
	authority := flags.String("authority", "", "authority to send")
	count := flags.Int("count", 5, "how many charges to wait for")
	longest := flags.Duration("for", time.Minute, "how long to wait for them")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	connection, err := dial(*address, *authority)
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, *longest)
	defer cancel()

	stream, err := paymentv1.NewPaymentClient(connection).WatchCharges(ctx, &paymentv1.WatchChargesRequest{})
	if err != nil {
		return err
	}
	for seen := 0; seen < *count; {
		message, err := stream.Recv()
		if err != nil {
			return fmt.Errorf("after %d charges: %s", seen, explain(err))
		}
		if message.GetCharge() == nil {
			fmt.Printf("watching %s\n", message.GetInstance())
			continue
		}
		seen++
		fmt.Printf("%s charged %s: %d cents\n", message.GetInstance(), message.GetCharge().GetId(),
			message.GetCharge().GetAmountCents())
	}
	return nil
}
