/* Faults of the world and of endpoints, in virtual time. */
#include "sim.h"

#include "draw.h"
#include "world.h"

enum { BURST_MAX = 10 };

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
    for (unsigned i = 0; i < s->plan.endpoints; i++)
        world_set_faults(&s->places[i], &far);
    world_set_faults(&s->entry, &near);
    s->far = far;
    s->caller_delay_max = near.latency_max + near.jitter_max;
    s->caller_is_slow = f[FAULT_SLOW_CALLER] || f[FAULT_SMALL_PIPES];
}

/* Both directions of every connection to it deliver nothing before `until`; 0 lets them go on. */
static void hold(const struct address *a, ns_t until)
{
    struct world_link l;
    for (uint64_t id = 1; world_link(id, &l); id++)
        if (address_eq(&l.to, a)) {
            world_hold(id, WORLD_TO_SERVER, until);
            world_hold(id, WORLD_TO_CLIENT, until);
        }
}

static struct backend *backend_of(const struct happening *h)
{
    return h->sim->backends[h->which];
}

static void go_away(void *ctx)
{
    backend_go_away(backend_of(ctx));
}

static void stop_backend(void *ctx)
{
    backend_stop(backend_of(ctx));
}

static void start_backend(void *ctx)
{
    backend_start(backend_of(ctx));
}

static void stop_all(void *ctx)
{
    const struct happening *h = ctx;
    for (unsigned i = 0; i < h->sim->plan.endpoints; i++)
        backend_stop(h->sim->backends[i]);
}

static void start_all(void *ctx)
{
    const struct happening *h = ctx;
    for (unsigned i = 0; i < h->sim->plan.endpoints; i++)
        backend_start(h->sim->backends[i]);
}

static void sicken(void *ctx)
{
    backend_sicken(backend_of(ctx), world_now() + (ns_t)draw(world_rng(), 50, 2000) * NS_PER_MS);
}

static void slow_down(void *ctx)
{
    backend_slow_down(backend_of(ctx), world_now() + (ns_t)draw(world_rng(), 100, 3000) * NS_PER_MS);
}

/* As SIGSTOP and SIGCONT: the kernel takes connections, and nobody answers. */
static void suspend(void *ctx)
{
    const struct happening *h = ctx;
    hold(&h->sim->places[h->which], world_now() + (ns_t)draw(world_rng(), 10, 1500) * NS_PER_MS);
}

static void open_hole(void *ctx)
{
    const struct happening *h = ctx;
    struct world_faults none = h->sim->far;
    none.vanish = 1000;
    world_set_faults(&h->sim->places[h->which], &none);
    hold(&h->sim->places[h->which], NS_NEVER);
}

static void close_hole(void *ctx)
{
    const struct happening *h = ctx;
    world_set_faults(&h->sim->places[h->which], &h->sim->far);
    hold(&h->sim->places[h->which], 0);
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
    bool again = h->which % 2 == 0;
    if (s->outbound.running) {
        sidecar_write_outbound(s, again);
        process_reload(&s->outbound.process);
    }
    if (s->inbound.running) {
        sidecar_write_inbound(s, again);
        process_reload(&s->inbound.process);
    }
}

/* Some of the endpoints have the name, or nobody can say. */
static void rename_endpoints(void *ctx)
{
    static const enum lookup_status troubles[] = {LOOKUP_NXDOMAIN, LOOKUP_SERVFAIL, LOOKUP_TIMEOUT, LOOKUP_EMPTY};
    const struct happening *h = ctx;
    const struct sim *s = h->sim;
    struct address some[PLAN_ENDPOINTS_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < s->plan.endpoints; i++)
        if (chance(world_rng(), 60))
            some[n++] = s->fronts[i];
    if (n == 0)
        some[n++] = s->fronts[0];
    world_name(SIM_NAME, some, n);
    bool well = chance(world_rng(), 75);
    world_name_says(SIM_NAME, well ? LOOKUP_OK : troubles[rng_below(world_rng(), 4)], 1);
}

static void plan_for_endpoint(struct sim *s, ns_t at, unsigned i, unsigned backend)
{
    const bool *f = s->plan.faults;
    if (f[FAULT_GOAWAY])
        sim_plan(s, at, go_away, NULL, backend);
    if (f[FAULT_SICK] && i < 4)
        sim_plan(s, at, sicken, NULL, backend);
    if (f[FAULT_SLOW_WORK] && i < 4)
        sim_plan(s, at, slow_down, NULL, backend);
    if (f[FAULT_STOP] && i < 5)
        sim_plan(s, at, suspend, NULL, backend);
    if (f[FAULT_DOWN] && i < 3) {
        sim_plan(s, at, stop_backend, NULL, backend);
        sim_plan(s, at + 400 * NS_PER_MS, start_backend, NULL, backend);
    }
    if (f[FAULT_OUTAGE] && i < 2) {
        sim_plan(s, at, stop_all, NULL, 0);
        sim_plan(s, at + 800 * NS_PER_MS, start_all, NULL, 0);
    }
    if (f[FAULT_HOLE] && i < 2) {
        sim_plan(s, at, open_hole, NULL, backend);
        sim_plan(s, at + 2 * NS_PER_S, close_hole, NULL, backend);
    }
}

static void plan_for_caller(struct sim *s, ns_t at, unsigned i, unsigned caller)
{
    const bool *f = s->plan.faults;
    if (f[FAULT_CALLER_RESET] && i < 5)
        sim_plan(s, at, break_caller, NULL, caller);
    if (f[FAULT_SLOW_CALLER]) {
        sim_plan(s, at, pause_caller, NULL, caller);
        sim_plan(s, at + 200 * NS_PER_MS, unpause_caller, NULL, caller);
    }
}

void nemesis_set_up(struct sim *s)
{
    const struct plan *p = &s->plan;
    set_faults(s);
    for (unsigned i = 0; i < BURST_MAX; i++) {
        unsigned backend = (unsigned)rng_below(world_rng(), p->endpoints), caller = i % p->callers;
        ns_t at = (ns_t)rng_below(world_rng(), (uint64_t)p->span);
        plan_for_endpoint(s, at, i, backend);
        plan_for_caller(s, at, i, caller);
        if (p->faults[FAULT_BLACK_HOLE])
            sim_plan(s, at, silence, NULL, i);
        if (p->faults[FAULT_RELOAD] && i < 4)
            sim_plan(s, at, reload, NULL, i);
        if (sim_has_names(s))
            sim_plan(s, at, rename_endpoints, NULL, 0);
    }
}

void nemesis_end(struct sim *s)
{
    struct world_faults none = {0};
    struct world_link l;
    world_set_faults(NULL, &none);
    world_set_faults(&s->entry, &none);
    s->far = none;
    s->caller_is_slow = false;
    for (unsigned i = 0; i < s->plan.endpoints; i++) {
        world_set_faults(&s->places[i], &none);
        backend_start(s->backends[i]);
        backend_sicken(s->backends[i], 0);
        backend_slow_down(s->backends[i], 0);
    }
    for (unsigned i = 0; i < s->plan.callers; i++)
        caller_pause(s->callers[i], false);
    world_name(SIM_NAME, s->fronts, s->plan.endpoints);
    world_name_says(SIM_NAME, LOOKUP_OK, 1);
    for (uint64_t id = 1; world_link(id, &l); id++)
        if (l.is_open[0] || l.is_open[1])
            world_reset(id);
}
