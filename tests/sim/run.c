/* From a plan to a running world, and back. */
#include "run.h"

#include "sim.h"

#include "app/drain.h"
#include "certs.h"

#include <unistd.h>

enum { WALL_START = 1780272000, ENTRY_PORT = 15001, INBOUND_PORT = 8443, BACKEND_PORT = 9001 };

#define GIVE_UP_NS (60 * NS_PER_S) /* after the last call has begun, callers cancel what is left */
#define DRAIN_NS   (40 * NS_PER_S)
#define HEAL_NS    (70 * NS_PER_S) /* longer than any backoff and any breaker's wait */

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

const char *sim_path(const char *name)
{
    return certs_path(name);
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
        (void)fprintf(stderr, "  call %u: %s, kind %d, status %d, request %zu bytes, response %zu bytes, seen %u\n",
                      c->id, target_path(c->target), c->kind, c->final, c->request_bytes, c->response_bytes, c->seen);
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

void sim_plan(struct sim *s, ns_t after, void (*fn)(void *ctx), struct sim_call *call, unsigned which)
{
    struct happening *h = malloc(sizeof *h);
    certs_check(h != NULL, "malloc");
    *h = (struct happening){.sim = s, .call = call, .which = which};
    list_push_back(&s->happenings, &h->node);
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
        sim_plan(h->sim, world_now() - h->sim->began + h->call->cancel_after, cancel_call, h->call, 0);
}

static struct address at(uint8_t net, uint8_t host, uint16_t port)
{
    return (struct address){.kind = ADDRESS_IPV4, .port = port, .ip = {10, 0, net, host}};
}

static void place(struct sim *s)
{
    for (unsigned i = 0; i < s->plan.endpoints; i++) {
        uint8_t host = (uint8_t)(i + 1);
        s->places[i] = at(0, host, BACKEND_PORT);
        s->fronts[i] = has_inbound(&s->plan) ? at(1, host, INBOUND_PORT) : s->places[i];
    }
    struct address local = {.kind = ADDRESS_IPV4, .port = ENTRY_PORT, .ip = {127, 0, 0, 1}};
    s->entry = has_outbound(&s->plan) ? local : s->fronts[0];
    world_name(SIM_NAME, s->fronts, s->plan.endpoints);
    world_name_says(SIM_NAME, LOOKUP_OK, 1);
}

static void set_up(struct sim *s, uint64_t seed, size_t calls)
{
    plan_init(&s->plan, seed, calls);
    world_open(seed);
    s->began = world_now();
    list_init(&s->happenings);
    place(s);
    nemesis_set_up(s);
    witness_begin(s);
    wires_init(&s->wires);
    s->caller_tls = has_outbound(&s->plan) ? NULL : make_tls("order", false);
    s->endpoint_tls = s->plan.place == PLACE_OUTBOUND_TLS ? make_tls("payment", true) : NULL;
    for (unsigned i = 0; i < s->plan.endpoints; i++)
        s->backends[i] = backend_new(s, i, &s->places[i]);
    if (has_inbound(&s->plan)) {
        sidecar_write_inbound(s, false);
        sidecar_start(s, &s->inbound, "inbound.yaml");
    }
    if (has_outbound(&s->plan)) {
        sidecar_write_outbound(s, false);
        sidecar_start(s, &s->outbound, "outbound.yaml");
    }
    for (unsigned i = 0; i < s->plan.callers; i++)
        s->callers[i] = caller_new(s, i);
    for (size_t i = 0; i < calls; i++)
        sim_plan(s, s->plan.calls[i].start, begin_call, &s->plan.calls[i], 0);
}

static void do_nothing(void *ctx)
{
    (void)ctx;
}

static void step_until(struct sim *s, ns_t until, bool while_open)
{
    world_at(until, do_nothing, NULL); /* time passes although nothing happens */
    while (world_now() < until && (!while_open || s->open > 0 || world_now() < s->began + s->plan.span)) {
        if (!world_step())
            return;
        judge_step(s);
    }
}

/* Whatever has happened, when it is over calls are served again. */
static void heal(struct sim *s)
{
    nemesis_end(s);
    step_until(s, world_now() + HEAL_NS, false);
    for (size_t i = 0; i < PLAN_LAST; i++) {
        struct sim_call *c = &s->plan.calls[s->plan.calls_n + i];
        caller_start(s->callers[c->caller], c);
        step_until(s, world_now() + 2 * NS_PER_S, false);
        if (c->finals != 1 || c->final != 0)
            sim_violate(s, c, "all is well again, and a call is not OK");
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
    while ((n = list_pop(&s->happenings)) != NULL)
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
    heal(&s);
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
