package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc/status"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
)

// ask calls GetPayment for ids from a file, one a line, from the first again when there are too few.
func ask(ctx context.Context, args []string) error {
	var o load
	flags := flag.NewFlagSet("ask", flag.ContinueOnError)
	o.options(flags)
	address := flags.String("payment", "127.0.0.1:15001", "address of payment, or of the sidecar that leads there")
	authority := flags.String("authority", "", "authority to send")
	file := flags.String("ids", "ids", "file of the ids of paid orders")
	summary := flags.String("summary", "", "file that gets the summary as NAME=VALUE lines")
	if err := parse(flags, args, false); err != nil {
		return err
	}
	ids, err := readLines(*file)
	if err != nil {
		return err
	}
	connection, err := dial(*address, *authority)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := paymentv1.NewPaymentClient(connection)
	outcomes := all(ctx, o, func(i int) placed { return askOne(ctx, client, ids[i%len(ids)]) })
	if err := summarize(outcomes).print(*summary); err != nil {
		return err
	}
	return ctx.Err()
}

func askOne(ctx context.Context, client paymentv1.PaymentClient, id string) placed {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	outcome := placed{id: id}
	begin := time.Now()
	answer, err := client.GetPayment(ctx, &paymentv1.GetPaymentRequest{Id: id})
	outcome.took = time.Since(begin)
	outcome.code = status.Code(err)
	if err != nil {
		outcome.why = explain(err)
		return outcome
	}
	outcome.status, outcome.by = orderv1.OrderStatus_ORDER_STATUS_PAID, answer.GetCharges()[0].GetInstance()
	return outcome
}

func readLines(path string) ([]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s holds no ids", path)
	}
	return lines, nil
}
