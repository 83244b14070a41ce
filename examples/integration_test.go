// Package examples tests the services together, over gRPC in memory.
package examples

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	shippingv1 "github.com/outrigger/examples/gen/shipping/v1"
	"github.com/outrigger/examples/internal/postgres"
	"github.com/outrigger/examples/internal/serve"
	"github.com/outrigger/examples/order"
	"github.com/outrigger/examples/payment"
	"github.com/outrigger/examples/shipping"
)

// start serves until stop is called or the test ends, and returns a connection to the service.
func start(t *testing.T, service serve.Service) (connection *grpc.ClientConn, stop func()) {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve.Serve(ctx, listener, service) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	connection, err := grpc.NewClient("passthrough:///memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	t.Cleanup(func() { connection.Close() })
	return connection, stop
}

type shop struct {
	order        orderv1.OrderClient
	payment      paymentv1.PaymentClient
	shipping     shippingv1.ShippingClient
	stopPayment  func()
	stopShipping func()
}

// open starts the services on an SQLite file.
func open(t *testing.T) shop {
	t.Helper()
	return openOn(t, filepath.Join(t.TempDir(), "order.db"))
}

func openOn(t *testing.T, database string) shop {
	t.Helper()
	folder := t.TempDir()
	pay, closePay, err := payment.New(payment.Config{
		Instance: "payment-1", LedgerFolder: folder, ReviewFrom: 100_000, ReviewTakes: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closePay() })
	ship, closeShip, err := shipping.New(shipping.Config{Instance: "s", Folder: folder, OutOfStock: []string{"moon dust"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeShip() })
	toPayment, stopPayment := start(t, pay)
	toShipping, stopShipping := start(t, ship)
	orders, closeOrders, err := order.New(order.Config{
		Database: database, ToPayment: toPayment, ToShipping: toShipping, StepTime: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeOrders() })
	toOrder, _ := start(t, orders)
	return shop{
		orderv1.NewOrderClient(toOrder), paymentv1.NewPaymentClient(toPayment), shippingv1.NewShippingClient(toShipping),
		stopPayment, stopShipping,
	}
}

// settled asks until an order has come to its end.
func (s shop) settled(t *testing.T, id string) *orderv1.OrderRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for {
		settled, err := s.order.SettleOrder(ctx, &orderv1.SettleOrderRequest{Id: id})
		if err != nil {
			t.Fatal(err)
		}
		switch settled.GetOrder().GetStatus() {
		case orderv1.OrderStatus_ORDER_STATUS_DONE, orderv1.OrderStatus_ORDER_STATUS_CANCELLED:
			return settled.GetOrder()
		}
	}
}

func tea(id string, cents int64) *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{
		Id: id, Customer: "ada", Items: []*orderv1.Item{{Product: "tea", UnitPriceCents: cents, Quantity: 1}},
	}
}

// reason returns what the ErrorInfo of the order service says.
func reason(err error) string {
	for _, detail := range status.Convert(err).Details() {
		if info, isInfo := detail.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == "shop.example" {
			return info.GetReason()
		}
	}
	return ""
}

func TestOrderIsDoneOnceAndWatched(t *testing.T) {
	ctx, s := context.Background(), open(t)
	watch, err := s.payment.WatchCharges(ctx, &paymentv1.WatchChargesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := watch.Recv(); err != nil || first.GetInstance() != "payment-1" || first.GetCharge() != nil {
		t.Fatalf("first message %v, %v", first, err)
	}
	for i := range 3 {
		id := fmt.Sprint("order-", i)
		placed, err := s.order.CreateOrder(ctx, tea(id, 1990))
		if err != nil || placed.GetOrder().GetStatus() != orderv1.OrderStatus_ORDER_STATUS_DONE {
			t.Fatalf("placed %v, %v", placed, err)
		}
		if seen, err := watch.Recv(); err != nil || seen.GetCharge().GetId() != id || seen.GetCharge().GetAmountCents() != 1990 {
			t.Fatalf("watched %v, %v", seen, err)
		}
	}
	if _, err := s.order.CreateOrder(ctx, tea("order-0", 1990)); status.Code(err) != codes.AlreadyExists {
		t.Fatalf("the same id again: %v", err)
	}
	charges, err := s.payment.GetPayment(ctx, &paymentv1.GetPaymentRequest{Id: "order-0"})
	if err != nil || len(charges.GetCharges()) != 1 {
		t.Fatalf("charges %v, %v", charges, err)
	}
	got, err := s.order.GetOrder(ctx, &orderv1.GetOrderRequest{Id: "order-0"})
	if err != nil || got.GetOrder().GetChargedBy() != "payment-1" || len(got.GetOrder().GetItems()) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
}

func TestDeadlineReachesPayment(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.order.CreateOrder(ctx, tea("big", 100_000)); status.Code(err) != codes.DeadlineExceeded {
		t.Fatalf("error = %v", err)
	}
	if got := s.settled(t, "big"); got.GetStatus() != orderv1.OrderStatus_ORDER_STATUS_CANCELLED || got.GetRefundedCents() != 0 {
		t.Fatalf("settled %v", got)
	}
	if _, err := s.payment.Charge(context.Background(), &paymentv1.ChargeRequest{Id: "big", Customer: "ada", AmountCents: 1}); reason(err) != "REFUNDED" {
		t.Fatalf("charged behind the end of the order: %v", err)
	}
}

func TestOrdersWithoutPayment(t *testing.T) {
	ctx, s := context.Background(), open(t)
	s.stopPayment()
	_, err := s.order.CreateOrder(ctx, tea("a", 1990))
	if status.Code(err) != codes.Unavailable || reason(err) != "PAYMENT_UNCERTAIN" {
		t.Fatalf("error = %v, reason %q", err, reason(err))
	}
	got, err := s.order.GetOrder(ctx, &orderv1.GetOrderRequest{Id: "a"})
	if err != nil || got.GetOrder().GetStatus() != orderv1.OrderStatus_ORDER_STATUS_CHARGING {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := s.order.SettleOrder(ctx, &orderv1.SettleOrderRequest{Id: "a"}); status.Code(err) != codes.Unavailable {
		t.Fatalf("settled without asking anyone: %v", err)
	}
}

// What shipping refuses is paid back, and the caller reads why.
func TestRefusedShipmentIsPaidBack(t *testing.T) {
	ctx, s := context.Background(), open(t)
	request := tea("a", 1990)
	request.Items[0].Product = "moon dust"
	_, err := s.order.CreateOrder(ctx, request)
	if status.Code(err) != codes.FailedPrecondition || reason(err) != "SHIPPING_REFUSED" {
		t.Fatalf("error = %v, reason %q", err, reason(err))
	}
	var reasons []string
	for _, detail := range status.Convert(err).Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			reasons = append(reasons, detail.GetReason())
		case *errdetails.PreconditionFailure:
			reasons = append(reasons, detail.GetViolations()[0].GetSubject())
		}
	}
	if fmt.Sprint(reasons) != "[SHIPPING_REFUSED OUT_OF_STOCK moon dust]" {
		t.Fatalf("details %v", reasons)
	}
	got, err := s.order.GetOrder(ctx, &orderv1.GetOrderRequest{Id: "a"})
	if err != nil || got.GetOrder().GetStatus() != orderv1.OrderStatus_ORDER_STATUS_CANCELLED ||
		got.GetOrder().GetRefundedCents() != 1990 || got.GetOrder().GetWhy() == "" {
		t.Fatalf("got %v, %v", got, err)
	}
	paid, err := s.payment.GetPayment(ctx, &paymentv1.GetPaymentRequest{Id: "a"})
	if err != nil || len(paid.GetCharges()) != 1 || !paid.GetRefunded() {
		t.Fatalf("paid %v, %v", paid, err)
	}
	if _, err := s.shipping.GetShipment(ctx, &shippingv1.GetShipmentRequest{Id: "a"}); status.Code(err) != codes.NotFound {
		t.Fatalf("shipped all the same: %v", err)
	}
}

func TestOrdersWithoutShipping(t *testing.T) {
	ctx, s := context.Background(), open(t)
	s.stopShipping()
	_, err := s.order.CreateOrder(ctx, tea("a", 1990))
	if status.Code(err) != codes.Unavailable || reason(err) != "SHIPPING_UNCERTAIN" {
		t.Fatalf("error = %v, reason %q", err, reason(err))
	}
	got, err := s.order.GetOrder(ctx, &orderv1.GetOrderRequest{Id: "a"})
	if err != nil || got.GetOrder().GetStatus() != orderv1.OrderStatus_ORDER_STATUS_PAID {
		t.Fatalf("got %v, %v", got, err)
	}
}

// The process that charged an order has died behind the charge, or before it: the next one finds out, and goes on.
func TestNextProcessGoesOn(t *testing.T) {
	for _, kind := range []string{"SQLite", "PostgreSQL"} {
		t.Run(kind, func(t *testing.T) {
			database := filepath.Join(t.TempDir(), "order.db")
			if kind == "PostgreSQL" {
				database = postgres.Start(t).Database(t)
			}
			first := openOn(t, database)
			first.stopShipping()
			if _, err := first.order.CreateOrder(context.Background(), tea("a", 1990)); reason(err) != "SHIPPING_UNCERTAIN" {
				t.Fatalf("error %v", err)
			}
			second := openOn(t, database) // with a shipping that is there
			for {
				got, err := second.order.GetOrder(context.Background(), &orderv1.GetOrderRequest{Id: "a"})
				if err != nil {
					t.Fatal(err)
				}
				if got.GetOrder().GetStatus() == orderv1.OrderStatus_ORDER_STATUS_DONE {
					return
				}
				if got.GetOrder().GetStatus() != orderv1.OrderStatus_ORDER_STATUS_PAID {
					t.Fatalf("got %v", got)
				}
			}
		})
	}
}

func TestWrongRequestsNameTheField(t *testing.T) {
	ctx, s := context.Background(), open(t)
	_, noItems := s.order.CreateOrder(ctx, &orderv1.CreateOrderRequest{Id: "a", Customer: "ada"})
	_, noAmount := s.payment.Charge(ctx, &paymentv1.ChargeRequest{Id: "a", Customer: "ada"})
	_, noRefund := s.payment.Refund(ctx, &paymentv1.RefundRequest{})
	_, noParcels := s.shipping.Ship(ctx, &shippingv1.ShipRequest{Id: "a", Customer: "ada"})
	for field, err := range map[string]error{"items": noItems, "amount_cents": noAmount, "id": noRefund, "parcels": noParcels} {
		said := status.Convert(err)
		if said.Code() != codes.InvalidArgument || len(said.Details()) != 1 {
			t.Fatalf("error = %v", err)
		}
		bad, isBad := said.Details()[0].(*errdetails.BadRequest)
		if !isBad || bad.GetFieldViolations()[0].GetField() != field {
			t.Fatalf("details %v", said.Details())
		}
	}
}

func TestNothingIsFound(t *testing.T) {
	ctx, s := context.Background(), open(t)
	_, getOrder := s.order.GetOrder(ctx, &orderv1.GetOrderRequest{Id: "none"})
	_, settle := s.order.SettleOrder(ctx, &orderv1.SettleOrderRequest{Id: "none"})
	_, getPayment := s.payment.GetPayment(ctx, &paymentv1.GetPaymentRequest{Id: "none"})
	for _, err := range []error{getOrder, settle, getPayment} {
		if status.Code(err) != codes.NotFound {
			t.Errorf("error = %v", err)
		}
	}
}

func TestStopEndsStreamsAndHealth(t *testing.T) {
	pay, closePay, err := payment.New(payment.Config{Instance: "p", LedgerFolder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer closePay()
	connection, stop := start(t, pay)
	health, err := grpc_health_v1.NewHealthClient(connection).Check(context.Background(),
		&grpc_health_v1.HealthCheckRequest{Service: "payment.v1.Payment"})
	if err != nil || health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Fatalf("health %v, %v", health, err)
	}
	watch, err := paymentv1.NewPaymentClient(connection).WatchCharges(context.Background(), &paymentv1.WatchChargesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := watch.Recv(); status.Code(err) != codes.Unavailable {
		t.Fatalf("the stream ended with %v", err)
	}
}
