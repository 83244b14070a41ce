package examples

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	orderv1 "github.com/outrigger/examples/gen/order/v1"
	paymentv1 "github.com/outrigger/examples/gen/payment/v1"
	shippingv1 "github.com/outrigger/examples/gen/shipping/v1"
)

// TestContracts holds what sidecar policies rely on: names, which methods are safe to send twice, which ones stream.
func TestContracts(t *testing.T) {
	unknown := descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN
	again := descriptorpb.MethodOptions_IDEMPOTENT
	safe := descriptorpb.MethodOptions_NO_SIDE_EFFECTS
	cases := []struct {
		file    protoreflect.FileDescriptor
		method  protoreflect.FullName
		level   descriptorpb.MethodOptions_IdempotencyLevel
		streams bool
	}{
		{paymentv1.File_payment_v1_payment_proto, "payment.v1.Payment.Charge", unknown, false},
		{paymentv1.File_payment_v1_payment_proto, "payment.v1.Payment.Refund", again, false},
		{paymentv1.File_payment_v1_payment_proto, "payment.v1.Payment.GetPayment", safe, false},
		{paymentv1.File_payment_v1_payment_proto, "payment.v1.Payment.WatchCharges", safe, true},
		{shippingv1.File_shipping_v1_shipping_proto, "shipping.v1.Shipping.Ship", again, false},
		{shippingv1.File_shipping_v1_shipping_proto, "shipping.v1.Shipping.GetShipment", safe, false},
		{shippingv1.File_shipping_v1_shipping_proto, "shipping.v1.Shipping.CancelShipment", again, false},
		{orderv1.File_order_v1_order_proto, "order.v1.Order.CreateOrder", unknown, false},
		{orderv1.File_order_v1_order_proto, "order.v1.Order.GetOrder", safe, false},
		{orderv1.File_order_v1_order_proto, "order.v1.Order.SettleOrder", again, false},
	}
	for _, c := range cases {
		method := c.file.Services().Get(0).Methods().ByName(c.method.Name())
		if method == nil || method.FullName() != c.method {
			t.Errorf("there is no %s", c.method)
			continue
		}
		level := method.Options().(*descriptorpb.MethodOptions).GetIdempotencyLevel()
		if level != c.level || method.IsStreamingServer() != c.streams || method.IsStreamingClient() {
			t.Errorf("%s: %v, streams %v", c.method, level, method.IsStreamingServer())
		}
	}
}
