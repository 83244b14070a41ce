package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrigger/examples/internal/certificate"
	"github.com/outrigger/examples/internal/postgres"
)

const (
	payments  = 3
	allWithin = 30 * time.Second // so long starting may take
)

// world is the whole stack as processes: two orders on one database (one, where there is no PostgreSQL), which share an outbound
// sidecar; three payments and a shipping, each behind its inbound sidecar, with a cutter between that and the service.
type world struct {
	folder    string
	database  *postgres.Server // nil: SQLite
	orders    []*process
	orderAt   []string
	payments  []*process
	shipping  *process
	sidecars  []*process // of the payments, shipping, and last that of order
	admins    []string
	cutters   []*cutter // of the payments and shipping
	apps      []string  // addresses of the payments and shipping
	chargeTry string    // policy of Charge beside its timeout
}

// start runs everything and returns when all of it serves. Charge gets the keys of a policy in chargeTry.
func start(t *testing.T, withPostgres bool, chargeTry string, paymentEnv ...string) *world {
	t.Helper()
	binary := outrigger(t)
	w := &world{folder: t.TempDir(), chargeTry: chargeTry}
	if err := certificate.Make(w.folder, time.Hour, "order", "payment", "shipping"); err != nil {
		t.Fatal(err)
	}
	w.copy(t, "payment.binpb")
	w.copy(t, "shipping.binpb")
	var behind []string
	for i := range payments + 1 {
		w.apps = append(w.apps, address(t))
		w.cutters = append(w.cutters, newCutter(t, w.apps[i]))
		behind = append(behind, w.startInbound(t, binary, i))
	}
	for i := range payments {
		w.payments = append(w.payments, w.run(t, fmt.Sprintf("payment-%d", i), []string{program(t, "payment")}, append([]string{
			fmt.Sprintf("PAYMENT_INSTANCE=payment-%d", i), "PAYMENT_LISTEN=" + w.apps[i],
			"PAYMENT_LEDGER_FOLDER=" + w.path("ledger"),
		}, paymentEnv...)))
	}
	w.shipping = w.run(t, "shipping", []string{program(t, "shipping")}, []string{
		"SHIPPING_LISTEN=" + w.apps[payments], "SHIPPING_FOLDER=" + w.path("shipments"), "SHIPPING_OUT_OF_STOCK=moon-dust",
	})
	entry := w.startOutbound(t, binary, behind)
	w.startOrders(t, entry, withPostgres)
	w.waitAll(t)
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }

func (w *world) copy(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../config", name))
	if err == nil {
		err = os.WriteFile(w.path(name), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// run starts a process that ends with the test, and whose log is shown when the test fails.
func (w *world) run(t *testing.T, name string, argv, env []string) *process {
	t.Helper()
	p := &process{name: name, argv: argv, env: env, log: w.path(name + ".log")}
	p.start(t)
	t.Cleanup(func() {
		p.signal(t, syscall.SIGCONT)
		p.end(t, syscall.SIGTERM)
		if t.Failed() {
			text, _ := os.ReadFile(p.log)
			t.Logf("the end of the log of %s:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return p
}

func (w *world) sidecar(t *testing.T, binary, name, yaml string) {
	t.Helper()
	admin := address(t)
	text := fmt.Sprintf("version: 1\ndrain: { window: off }\nadmin: { listen: \"%s\" }\n%s", admin, yaml)
	if err := os.WriteFile(w.path(name+".yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.admins = append(w.admins, admin)
	w.sidecars = append(w.sidecars, w.run(t, name, []string{binary, "run", "-c", w.path(name + ".yaml")}, nil))
}

func (w *world) startInbound(t *testing.T, binary string, i int) (listens string) {
	service := "payment"
	if i == payments {
		service = "shipping"
	}
	listens = address(t)
	w.sidecar(t, binary, fmt.Sprintf("sidecar-%s-%d", service, i), fmt.Sprintf(`
identity: { certificate: %[1]s.crt, private_key: %[1]s.key, trust: ca.crt }
inbound: [ { listen: "%[2]s", tls: mutual, forward: "%[3]s" } ]
`, service, listens, w.cutters[i].address()))
	return listens
}

func (w *world) startOutbound(t *testing.T, binary string, behind []string) (listens string) {
	listens = address(t)
	w.sidecar(t, binary, "sidecar-order", fmt.Sprintf(`
identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }
outbound:
  - listen: "%s"
    routes: [ { authority: payment, service: payment }, { authority: shipping, service: shipping } ]
services:
  payment:
    endpoints: { static: [ "%s" ] }
    tls: mutual
    peer: { identity: "%s" }
    policy: payment
  shipping:
    endpoints: { static: [ "%s" ] }
    tls: mutual
    peer: { identity: "%s" }
    policy: shipping
policies:
  payment:
    descriptors: payment.binpb
    retry: { max_attempts: 3, on: [UNAVAILABLE] }
    circuit_breaker: { consecutive_failures: 5, open: { base: 200ms, max: 1s }, ramp: 1s }
    methods:
      payment.v1.Payment/Charge: { timeout: 700ms%s }
      payment.v1.Payment/GetPayment: { timeout: 700ms }
      payment.v1.Payment/Refund: { timeout: 700ms }
  shipping:
    descriptors: shipping.binpb
    timeout: 700ms
    retry: { max_attempts: 3, on: [UNAVAILABLE] }
`, listens, strings.Join(behind[:payments], `", "`), certificate.ID("payment"), behind[payments], certificate.ID("shipping"),
		w.chargeTry))
	return listens
}

func (w *world) startOrders(t *testing.T, entry string, withPostgres bool) {
	database, count := w.path("order.db"), 1
	if withPostgres {
		w.database = postgres.Start(t)
		database, count = w.database.Database(t), 2
	}
	for i := range count {
		w.orderAt = append(w.orderAt, address(t))
		w.orders = append(w.orders, w.run(t, fmt.Sprintf("order-%d", i), []string{program(t, "order")}, []string{
			"ORDER_LISTEN=" + w.orderAt[i], "ORDER_DATABASE=" + database, "ORDER_STEP_TIME=1s",
			"PAYMENT_ADDRESS=" + entry, "PAYMENT_AUTHORITY=payment", "SHIPPING_ADDRESS=" + entry, "SHIPPING_AUTHORITY=shipping",
		}))
	}
}

func (w *world) waitAll(t *testing.T) {
	t.Helper()
	for _, at := range append(append([]string{}, w.apps...), w.orderAt...) {
		eventually(t, allWithin, at+" serves", serves(t, at))
	}
	for i, admin := range w.admins {
		eventually(t, allWithin, w.sidecars[i].name+" is ready", isReady(admin))
	}
}

// logged counts the lines of the logs of the orders that hold a text.
func (w *world) logged(t *testing.T, text string) int {
	t.Helper()
	count := 0
	for _, order := range w.orders {
		log, err := os.ReadFile(order.log)
		if err != nil {
			t.Fatal(err)
		}
		count += strings.Count(string(log), text)
	}
	return count
}
