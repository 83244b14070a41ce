package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// How often wait asks again.
const askAgain = 20 * time.Millisecond

// wait takes addresses host:port of gRPC health services and http:// pages, and returns when all of them said yes.
func wait(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("wait", flag.ContinueOnError)
	longest := flags.Duration("for", 20*time.Second, "how long to wait")
	if err := parse(flags, args, true); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *longest)
	defer cancel()
	for _, what := range flags.Args() {
		if err := waitFor(ctx, what); err != nil {
			return err
		}
	}
	return nil
}

func waitFor(ctx context.Context, what string) error {
	ask := serves
	if strings.HasPrefix(what, "http://") {
		ask = answersOK
	}
	for {
		err := ask(ctx, what)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", what, err)
		case <-time.After(askAgain):
		}
	}
}

func answersOK(ctx context.Context, url string) error { return get(ctx, url, io.Discard) }

// page prints the page of an http:// address.
func page(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("page", flag.ContinueOnError)
	if err := parse(flags, args, true); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("expected an address that begins with http://")
	}
	return get(ctx, flags.Arg(0), os.Stdout)
}

// get writes the body of a page to out; an answer other than 200 is an error.
func get(ctx context.Context, url string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	_, err = io.Copy(out, answer.Body)
	return err
}

func serves(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	connection, err := dial(address, "")
	if err != nil {
		return err
	}
	defer connection.Close()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("it is %s", answer.GetStatus())
	}
	return nil
}

// ports prints so many free ports. They lie below the range from which the system takes ports for outgoing
// connections, so that none of those can take one away.
func ports(_ context.Context, args []string) error {
	flags := flag.NewFlagSet("ports", flag.ContinueOnError)
	if err := parse(flags, args, true); err != nil {
		return err
	}
	count, err := strconv.Atoi(flags.Arg(0))
	if err != nil || flags.NArg() != 1 || count < 1 || count > 100 {
		return fmt.Errorf("expected a number from 1 to 100")
	}
	for range count {
		listener, port := freePort()
		defer listener.Close() // held until all are found, so that each is found once
		fmt.Println(port)
	}
	return nil
}

func freePort() (net.Listener, int) {
	for {
		port := 20000 + rand.IntN(12000)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return listener, port
		}
	}
}
