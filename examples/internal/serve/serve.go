// Package serve runs a gRPC server the way both services do it: health service, log lines, graceful stop on SIGTERM.
package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// How long calls in flight may still take once the server was told to stop.
const graceTime = 10 * time.Second

// Service is what a program serves.
type Service struct {
	Name     string              // full gRPC name, also its name in the health service
	Register func(*grpc.Server)  // adds it to the server
	Options  []grpc.ServerOption // optional
	Stopping func()              // optional: ends what would not end by itself, such as open streams
}

// Listen opens host:port, or unix:PATH.
func Listen(address string) (net.Listener, error) {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}

// Run serves on address until SIGTERM or SIGINT, then lets the calls in flight end.
func Run(address string, service Service) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	listener, err := Listen(address)
	if err != nil {
		return err
	}
	slog.Info("listening", "service", service.Name, "address", listener.Addr().String(), "pid", os.Getpid())
	return Serve(stop, listener, service)
}

// Serve serves on the listener until the context ends. It takes the listener over.
func Serve(stop context.Context, listener net.Listener, service Service) error {
	server := grpc.NewServer(service.Options...)
	service.Register(server)
	states := health.NewServer()
	states.SetServingStatus(service.Name, grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(server, states)

	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-stop.Done():
	}

	slog.Info("stopping", "service", service.Name)
	states.Shutdown()
	if service.Stopping != nil {
		service.Stopping()
	}
	hurry := time.AfterFunc(graceTime, server.Stop)
	defer hurry.Stop()
	server.GracefulStop()
	if err := <-failed; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serving: %w", err)
	}
	slog.Info("stopped", "service", service.Name)
	return nil
}
