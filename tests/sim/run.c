/* From a plan to a running world, and back. */
#include "run.h"

#include "sim.h"

#include "app/drain.h"
#include "app/worker.h"
#include "certs.h"
#include "conf/load.h"
#include "world.h"

#include <unistd.h>

enum { WALL_START = 1780272000, ENTRY_PORT = 15001, INBOUND_PORT = 8443, BACKEND_PORT = 9001, BURST_MAX = 10 };

#define GIVE_UP_NS (60 * NS_PER_S) /* after the last call has begun, callers cancel what is left */
#define DRAIN_NS   (40 * NS_PER_S)
#define REST_NS    (20 * NS_PER_S)

void run_prepare(void)
{
    certs_now = WALL_START;
    certs_init();
    world_open(1); /* for its random numbers: the same keys in every process */
    struct cert ca = certs_make(&(struct cert_spec){.name = "shop", .authority = true}, NULL);
    certs_write(&ca, "ca", NULL);
    certs_leaf("order", &(struct cert_spec){.name = "order", .san = "URI:spiffe://sim/order"}, &ca);
    certs_leaf("payment", &(struct cert_spec){.name = "payment", .san = "URI:spiffe://sim/payment,DNS:payment.shop"},
               &ca);
    certs_free(&ca);
    world_close();
}

void run_finish(void)
{
    certs_fini();
}

void sim_violate(const struct sim *s, const struct sim_call *c, const char *what)
{
    (void)fprintf(stderr, "sim: seed %llu, %.3f ms: %s\n", (unsigned long long)s->plan.seed,
                  (double)(world_now() - s->began) / 1e6, what);
    if (c)
        (void)fprintf(stderr, "  call %u: kind %d, behaviour %d, status %u, request %zu bytes, response %zu bytes\n",
                      c->id, c->kind, c->behaviour, c->status, c->request_bytes, c->response_bytes);
    (void)fprintf(stderr, "run it alone: sim --seed %llu --calls %zu --verbose\n", (unsigned long long)s->plan.seed,
                  s->plan.calls_n);
    run_finish();
    _exit(1);
}

void sim_say(const struct sim *s, const struct sim_call *c, const char *what, long long number)
{
    if (s->verbose)
        (void)fprintf(stderr, "%12.3f ms call %4u %s %lld\n", (double)(world_now() - s->began) / 1e6, c->id, what,
                      number);
}

static struct address at_port(uint16_t port)
{
    return (struct address){.kind = ADDRESS_IPV4, .port = port, .ip = {127, 0, 0, 1}};
}

/* "127.0.0.1:P", ... for the endpoints `from` up to all of them. */
static void write_endpoints(FILE *f, const struct plan *p, uint16_t port, unsigned from)
{
    for (unsigned i = from; i < p->endpoints; i++)
        (void)fprintf(f, "%s\"127.0.0.1:%u\"", i > from ? ", " : "", port + i);
}

/* The outbound sidecar's file. The second one after a reload has other endpoints and limits. */
static void write_outbound(const struct sim *s, bool again)
{
    const struct plan *p = &s->plan;
    FILE *f = certs_open("outbound.yaml");
    bool tls = p->place != PLACE_OUTBOUND;
    unsigned from = again && p->endpoints > 1 ? 1 : 0;
    (void)fprintf(f, "version: 1\n");
    if (tls)
        (void)fprintf(f, "identity: { certificate: order.crt, private_key: order.key, trust: ca.crt }\n");
    (void)fprintf(f,
                  "outbound:\n  - listen: 127.0.0.1:%d\n    routes: [ { service: sim } ]\nservices:\n  sim:\n"
                  "    endpoints: { static: [",
                  ENTRY_PORT);
    write_endpoints(f, p, p->place == PLACE_PAIR ? INBOUND_PORT : BACKEND_PORT, from);
    (void)fprintf(f, "] }\n    balance: %s\n    tls: %s\n    policy: sim\n", p->balance, tls ? "mutual" : "off");
    if (tls)
        (void)fprintf(f, "    peer: { identity: \"spiffe://sim/payment\" }\n");
    (void)fprintf(f,
                  "policies:\n  sim:\n    idle_timeout: %llds\n    limits: { max_connections_per_endpoint: %u, "
                  "max_pending: %u }\n",
                  SIM_IDLE_NS / NS_PER_S, p->connections_max, again ? 200u : 1000u);
    certs_check(fclose(f) == 0, "outbound.yaml");
}

static void write_inbound(const struct sim *s)
{
    FILE *f = certs_open("inbound.yaml");
    (void)fprintf(
        f, "version: 1\nidentity: { certificate: payment.crt, private_key: payment.key, trust: ca.crt }\ninbound:\n");
    for (unsigned i = 0; i < s->plan.endpoints; i++)
        (void)fprintf(f, "  - { listen: \"127.0.0.1:%u\", forward: \"127.0.0.1:%u\" }\n", INBOUND_PORT + i,
                      BACKEND_PORT + i);
    certs_check(fclose(f) == 0, "inbound.yaml");
}

static void start_sidecar(struct sim *s, struct sidecar *p, const char *file)
{
    char error[PROCESS_ERROR_MAX] = "?";
    struct problems problems;
    (void)snprintf(p->config, sizeof p->config, "%s", certs_path(file));
    problems_init(&problems);
    struct snapshot *snapshot = load_file(p->config, &problems);
    if (!snapshot)
        problems_print(&problems, stderr);
    problems_fini(&problems);
    p->options = (struct process_options){.config = p->config};
    if (!snapshot || process_init(&p->process, &p->options, snapshot, error) != ERR_NONE)
        sim_violate(s, NULL, error);
    for (uint32_t i = 0; i < p->process.workers_n; i++)
        rng_init(&p->process.workers[i]->rng, s->plan.seed * 31 + i);
    p->process.ready = true;
    p->running = true;
}

static bool has_outbound(const struct plan *p)
{
    return p->place != PLACE_INBOUND;
}

static bool has_inbound(const struct plan *p)
{
    return p->place == PLACE_INBOUND || p->place == PLACE_PAIR;
}

static struct tls_context *make_tls(const char *name, bool server)
{
    char certificate[32], key[32], error[TLS_ERROR_MAX];
    (void)snprintf(certificate, sizeof certificate, "%s.crt", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    struct tls_config c = {.server = server,
                           .mutual = true,
                           .files.certificate = certs_path(certificate),
                           .files.private_key = certs_path(key),
                           .files.trust = certs_path("ca.crt")};
    struct tls_context *tls = tls_context_new(&c, error);
    certs_check(tls != NULL, error);
    return tls;
}

/* Faults of connections to the endpoints and between the sidecars; callers' connections get the harmless ones. */
static void set_faults(struct sim *s)
{
    const bool *f = s->plan.faults;
    struct world_faults far = {0}, near = {0};
    if (f[FAULT_PARTIAL])
        far.part_read = far.part_write = near.part_read = near.part_write = 300;
    if (f[FAULT_LATENCY]) {
        far.latency_max = 20 * NS_PER_MS;
        far.jitter_max = 3 * NS_PER_MS;
        near.latency_max = 2 * NS_PER_MS;
        near.jitter_max = NS_PER_MS;
    }
    if (f[FAULT_SMALL_PIPES])
        far.capacity = near.capacity = 3000;
    far.reset = f[FAULT_RESET] ? 4 : 0;
    far.stall = f[FAULT_STALL] ? 15 : 0;
    far.stall_max = 300 * NS_PER_MS;
    far.refuse = f[FAULT_REFUSE] ? 250 : 0;
    far.vanish = f[FAULT_VANISH] ? 100 : 0;
    world_set_faults(NULL, &far);
    world_set_faults(&s->entry, &near);
    s->caller_delay_max = near.latency_max + near.jitter_max;
    s->caller_is_slow = f[FAULT_SLOW_CALLER] || f[FAULT_SMALL_PIPES];
}

/* Something planned that happens at a time; kept with the run. */
struct happening {
    struct list node;
    struct sim *sim;
    struct sim_call *call;
    unsigned which;
};

static struct list happenings = {&happenings, &happenings};

static void plan_at(struct sim *s, ns_t after, void (*fn)(void *ctx), struct sim_call *call, unsigned which)
{
    struct happening *h = malloc(sizeof *h);
    certs_check(h != NULL, "malloc");
    *h = (struct happening){.sim = s, .call = call, .which = which};
    list_push_back(&happenings, &h->node);
    world_at(s->began + after, fn, h);
}

static void cancel_call(void *ctx)
{
    const struct happening *h = ctx;
    if (!h->call->closed)
        caller_cancel(h->sim->callers[h->call->caller], h->call);
}

static void begin_call(void *ctx)
{
    const struct happening *h = ctx;
    caller_start(h->sim->callers[h->call->caller], h->call);
    if (h->call->cancel_after > 0)
        plan_at(h->sim, world_now() - h->sim->began + h->call->cancel_after, cancel_call, h->call, 0);
}

static void go_away(void *ctx)
{
    const struct happening *h = ctx;
    backend_go_away(h->sim->backends[h->which]);
}

static void stop_backend(void *ctx)
{
    const struct happening *h = ctx;
    backend_stop(h->sim->backends[h->which]);
}

static void start_backend(void *ctx)
{
    const struct happening *h = ctx;
    backend_start(h->sim->backends[h->which]);
}

static void break_caller(void *ctx)
{
    const struct happening *h = ctx;
    caller_break(h->sim->callers[h->which]);
}

static void pause_caller(void *ctx)
{
    const struct happening *h = ctx;
    caller_pause(h->sim->callers[h->which], true);
}

static void unpause_caller(void *ctx)
{
    const struct happening *h = ctx;
    caller_pause(h->sim->callers[h->which], false);
}

/* One direction of some connection that is not a caller's delivers nothing for up to 20 s. */
static void silence(void *ctx)
{
    const struct happening *h = ctx;
    struct world_link l;
    if (world_links() == 0)
        return;
    uint64_t id = 1 + rng_below(world_rng(), world_links());
    if (world_link(id, &l) && l.is_open[0] && !address_eq(&l.to, &h->sim->entry))
        world_hold(id, (int)(h->which % 2), world_now() + (ns_t)rng_below(world_rng(), 20 * NS_PER_S));
}

static void reload(void *ctx)
{
    const struct happening *h = ctx;
    struct sim *s = h->sim;
    if (s->outbound.running) {
        write_outbound(s, h->which % 2 == 0);
        process_reload(&s->outbound.process);
    }
    if (s->inbound.running)
        process_reload(&s->inbound.process);
}

static ns_t some_time(const struct sim *s)
{
    return (ns_t)rng_below(world_rng(), (uint64_t)s->plan.span);
}

static void plan_disruptions(struct sim *s)
{
    const struct plan *p = &s->plan;
    for (unsigned i = 0; i < BURST_MAX; i++) {
        unsigned backend = (unsigned)rng_below(world_rng(), p->endpoints), caller = i % p->callers;
        ns_t at = some_time(s);
        if (p->faults[FAULT_GOAWAY])
            plan_at(s, at, go_away, NULL, backend);
        if (p->faults[FAULT_BLACK_HOLE])
            plan_at(s, at, silence, NULL, i);
        if (p->faults[FAULT_CALLER_RESET] && i < 5)
            plan_at(s, at, break_caller, NULL, caller);
        if (p->faults[FAULT_RELOAD] && i < 4)
            plan_at(s, at, reload, NULL, i);
        if (p->faults[FAULT_DOWN] && i < 3) {
            plan_at(s, at, stop_backend, NULL, backend);
            plan_at(s, at + 400 * NS_PER_MS, start_backend, NULL, backend);
        }
        if (p->faults[FAULT_SLOW_CALLER]) {
            plan_at(s, at, pause_caller, NULL, caller);
            plan_at(s, at + 200 * NS_PER_MS, unpause_caller, NULL, caller);
        }
    }
}

static void set_up(struct sim *s, uint64_t seed, size_t calls)
{
    plan_init(&s->plan, seed, calls);
    world_open(seed);
    s->began = world_now();
    s->entry = at_port(has_outbound(&s->plan) ? ENTRY_PORT : INBOUND_PORT);
    set_faults(s);
    wires_init(&s->wires);
    s->caller_tls = has_outbound(&s->plan) ? NULL : make_tls("order", false);
    s->endpoint_tls = s->plan.place == PLACE_OUTBOUND_TLS ? make_tls("payment", true) : NULL;
    for (unsigned i = 0; i < s->plan.endpoints; i++) {
        struct address a = at_port((uint16_t)(BACKEND_PORT + i));
        s->backends[i] = backend_new(s, i, &a);
    }
    if (has_inbound(&s->plan)) {
        write_inbound(s);
        start_sidecar(s, &s->inbound, "inbound.yaml");
    }
    if (has_outbound(&s->plan)) {
        write_outbound(s, false);
        start_sidecar(s, &s->outbound, "outbound.yaml");
    }
    for (unsigned i = 0; i < s->plan.callers; i++)
        s->callers[i] = caller_new(s, i);
    for (size_t i = 0; i < calls; i++)
        plan_at(s, s->plan.calls[i].start, begin_call, &s->plan.calls[i], 0);
    plan_disruptions(s);
}

static void step_until(struct sim *s, ns_t until, bool while_open)
{
    while (world_now() < until && (!while_open || s->open > 0 || world_now() < s->began + s->plan.span)) {
        if (!world_step())
            return;
        judge_step(s);
    }
}

static void drain(struct sim *s)
{
    struct sidecar *both[] = {&s->outbound, &s->inbound};
    for (size_t i = 0; i < 2; i++) {
        if (!both[i]->running)
            continue;
        drain_begin(&both[i]->process, DRAIN_NOW);
        step_until(s, world_now() + DRAIN_NS, false);
    }
}

static void tear_down(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.callers; i++)
        caller_free(s->callers[i]);
    for (unsigned i = 0; i < s->plan.endpoints; i++)
        backend_free(s->backends[i]);
    if (s->outbound.running)
        process_fini(&s->outbound.process);
    if (s->inbound.running)
        process_fini(&s->inbound.process);
    wires_fini(&s->wires);
    tls_context_unref(s->caller_tls);
    tls_context_unref(s->endpoint_tls);
    if (world_live_sockets() > 0 || world_live_loops() > 0 || world_live_watches() > 0)
        sim_violate(s, NULL, "sockets, loops or watches are left");
    world_close();
    struct list *n;
    while ((n = list_pop(&happenings)) != NULL)
        free(CONTAINER_OF(n, struct happening, node));
}

static struct run_result sum_up(const struct sim *s)
{
    struct run_result r = {.trace = world_trace() ^ s->hash, .calls = s->plan.calls_n};
    for (size_t i = 0; i < s->plan.calls_n; i++) {
        const struct sim_call *c = &s->plan.calls[i];
        r.ok += c->finals == 1 && c->final == 0;
        r.failed += c->finals == 1 && c->final != 0;
        r.cancelled += c->cancelled;
        r.lost += c->lost;
    }
    for (int f = 0; f < FAULTS; f++)
        r.faults += s->plan.faults[f];
    return r;
}

struct run_result run_seed(uint64_t seed, size_t calls, bool verbose)
{
    static struct sim s;
    s = (struct sim){.verbose = verbose};
    set_up(&s, seed, calls);
    step_until(&s, s.began + s.plan.span + GIVE_UP_NS, true);
    for (size_t i = 0; i < calls; i++)
        if (!s.plan.calls[i].closed)
            caller_cancel(s.callers[s.plan.calls[i].caller], &s.plan.calls[i]);
    step_until(&s, world_now() + NS_PER_S, false);
    drain(&s);
    judge_end(&s);
    struct run_result r = sum_up(&s);
    tear_down(&s);
    for (int f = 0; verbose && f < FAULTS; f++)
        if (s.plan.faults[f])
            (void)fprintf(stderr, "fault: %s\n", fault_text((enum fault)f));
    plan_fini(&s.plan);
    return r;
}
