/* What must hold: after every step inside of the proxies, when a call has closed at its caller, and when all is over.
 */
#include "sim.h"

#include "app/exchange.h"
#include "app/upstream.h"
#include "app/worker.h"
#include "world.h"

#include <stdio.h>

enum { BUFFERED_MAX = 65536 };
#define LATE_NS (5 * NS_PER_MS)

static void check_exchange(const struct sim *s, const struct exchange *x)
{
    bool waits = x->call.state != CALL_ENDED && x->call.state != CALL_IDLE;
    if (waits && x->call.deadline != NS_NEVER && world_now() > ns_add(x->call.deadline, LATE_NS))
        sim_violate(s, NULL, "a call lives in a proxy 5 ms past its deadline");
    if (x->down.pending.bytes > BUFFERED_MAX)
        sim_violate(s, NULL, "more than 64 KiB wait for a caller");
    if (x->up.pending.bytes > BUFFERED_MAX)
        sim_violate(s, NULL, "more than 64 KiB wait for an endpoint");
    size_t kept = x->method && x->method->retry && x->method->retry->buffer_bytes > BUFFERED_MAX
                      ? x->method->retry->buffer_bytes
                      : BUFFERED_MAX;
    if (x->replay.chunks.bytes > kept)
        sim_violate(s, NULL, "more is kept for another attempt than the policy or 64 KiB allow");
}

static void check_sidecar(const struct sim *s, const struct sidecar *p)
{
    for (uint32_t i = 0; p->running && i < p->process.workers_n; i++) {
        LIST_FOR(n, &p->process.workers[i]->live)
            check_exchange(s, CONTAINER_OF(n, struct exchange, live));
    }
}

void judge_step(struct sim *s)
{
    check_sidecar(s, &s->outbound);
    check_sidecar(s, &s->inbound);
}

static void check_ok(const struct sim *s, const struct sim_call *c)
{
    if (c->ok_by == 0)
        sim_violate(s, c, "the caller heard OK, and no endpoint said it");
    unsigned bare = 1u << BEHAVE_TRAILERS_ONLY | 1u << BEHAVE_TRAILERS;
    bool whole = c->received == plan_size(plan_response(c)) && (c->ok_by & ~bare) != 0;
    if (!whole && !(c->received == 0 && (c->ok_by & bare)))
        sim_violate(s, c, "the caller heard OK without all bytes of the response");
    if (c->ok_by == 1u << BEHAVE_ANSWER && c->kind != KIND_BIDI && !c->request_whole)
        sim_violate(s, c, "the caller heard OK, and the endpoint never had the whole request");
}

/* Time was over in the middle of a message: trailers would be read as INTERNAL, CANCEL is read by the caller's own
 * clock. */
static bool is_cut_off(const struct sim *s, const struct sim_call *c)
{
    ns_t took = world_now() - c->submitted_at, deadline = plan_deadline_min(&s->plan, c);
    return c->close_code == NGHTTP2_CANCEL && ((deadline > 0 && took >= deadline) || took >= SIM_IDLE_NS);
}

static bool has_attempt(const struct exchange *x)
{
    return x->call.candidate != BALANCE_NONE;
}

static bool is_probing(const struct exchange *x, const struct breaker *b)
{
    const struct breaker_view *v = &x->breaker;
    if (!has_attempt(x) || !v->policy || !x->call.ticket.probe || x->call.judged)
        return false;
    const struct endpoint *e = x->upstream->candidates[x->call.candidate].endpoint;
    const struct breaker *own = v->policy->scope == BREAKER_SCOPE_SERVICE ? &v->set->service
                                : v->index < e->breakers_n                ? e->breakers[v->index]
                                                                          : NULL;
    return own == b && b->generation == x->call.ticket.generation;
}

/* Every place of a probe that is taken belongs to an attempt in flight. */
static void check_probes(const struct sim *s, const struct worker *w, const struct breaker *b)
{
    uint32_t probing = 0;
    LIST_FOR(n, &w->live)
        probing += is_probing(CONTAINER_OF(n, struct exchange, live), b);
    if (b->probes != probing)
        sim_violate(s, NULL, "a breaker counts probes that are not in flight");
}

static void check_endpoint(const struct sim *s, const struct worker *w, const struct endpoint *e)
{
    unsigned inflight = 0, troubled = 0;
    LIST_FOR(n, &w->live) {
        const struct exchange *x = CONTAINER_OF(n, struct exchange, live);
        inflight += has_attempt(x) && x->upstream->candidates[x->call.candidate].endpoint == e;
    }
    if (atomic_load(&e->inflight) != inflight)
        sim_violate(s, NULL, "an endpoint does not count what is in flight");
    for (uint32_t i = 0; i < e->breakers_n; i++)
        if (e->breakers[i]) {
            check_probes(s, w, e->breakers[i]);
            troubled += e->breakers[i]->state != BREAKER_CLOSED;
        }
    if (atomic_load(&e->troubled) != troubled)
        sim_violate(s, NULL, "an endpoint does not count its breakers that are not closed");
}

/* What is counted for all calls agrees with the calls that there are. A run has one worker a process. */
static void check_counts(const struct sim *s, const struct sidecar *p)
{
    if (!p->running)
        return;
    const struct worker *w = p->process.workers[0];
    LIST_FOR(n, &p->process.scopes) {
        struct scope *scope = CONTAINER_OF(n, struct scope, node);
        unsigned active = 0, pending = 0;
        LIST_FOR(k, &w->live) {
            const struct exchange *x = CONTAINER_OF(k, struct exchange, live);
            bool of_scope = x->upstream && x->upstream->service->scope == scope;
            active += of_scope && x->call.admitted;
            pending += of_scope && x->call.waited;
        }
        if (atomic_load(&scope->limit.active) != active || atomic_load(&scope->limit.pending) != pending)
            sim_violate(s, NULL, "a limit does not count the calls that there are");
        check_probes(s, w, &scope->breakers.service);
    }
    LIST_FOR(n, &p->process.services) {
        const struct service *service = CONTAINER_OF(n, struct service, node);
        for (size_t i = 0; i < service->endpoints_n; i++)
            check_endpoint(s, w, service->endpoints[i]);
    }
}

void judge_final(struct sim *s, struct sim_call *c)
{
    if (c->finals > 1)
        sim_violate(s, c, "two final statuses");
    if (c->finals == 0 && !c->lost && !c->cancelled && !is_cut_off(s, c))
        sim_violate(s, c, "the stream was closed without a final status");
    if (c->finals == 1 && c->final == 0)
        check_ok(s, c);
    ns_t delay = 2 * s->caller_delay_max + LATE_NS, deadline = plan_deadline(&s->plan, c);
    ns_t at = c->finals == 1 ? c->final_at : world_now();
    if (!c->lost && !c->cancelled && deadline > 0 && !s->caller_is_slow && at > c->submitted_at + deadline + delay)
        sim_violate(s, c, "the final status came more than 5 ms after the deadline");
    check_counts(s, &s->outbound);
    check_counts(s, &s->inbound);
    s->hash = (s->hash ^ c->id ^ (uint64_t)(c->final + 1) << 32 ^ (uint64_t)c->received << 40) * 0x9e3779b97f4a7c15u;
}

static int count(const struct list *l)
{
    int n = 0;
    LIST_FOR(node, l)
        n++;
    return n;
}

static void check_empty_worker(const struct sim *s, const struct worker *w)
{
    if (count(&w->live) > 0)
        sim_violate(s, NULL, "calls are left in a proxy");
    if (count(&w->downstreams) > 0)
        sim_violate(s, NULL, "callers' connections are left in a proxy");
    if (count(&w->dirty) > 0 || count(&w->dead) > 0)
        sim_violate(s, NULL, "a proxy owes work at rest");
    LIST_FOR(n, &w->upstreams) {
        const struct upstream *u = CONTAINER_OF(n, struct upstream, node);
        if (u->connections > 0 || u->calls > 0 || !list_is_empty(&u->waiting))
            sim_violate(s, NULL, "connections or calls are left in a pool");
    }
}

static void check_empty(const struct sim *s, const struct sidecar *p)
{
    if (!p->running)
        return;
    for (uint32_t i = 0; i < p->process.workers_n; i++)
        check_empty_worker(s, p->process.workers[i]);
    LIST_FOR(n, &p->process.scopes) {
        const struct scope *scope = CONTAINER_OF(n, struct scope, node);
        if (atomic_load(&scope->limit.active) != 0 || atomic_load(&scope->limit.pending) != 0)
            sim_violate(s, NULL, "a limit still counts calls");
    }
    LIST_FOR(n, &p->process.services) {
        const struct service *service = CONTAINER_OF(n, struct service, node);
        for (size_t i = 0; i < service->endpoints_n; i++)
            if (atomic_load(&service->endpoints[i]->inflight) != 0 ||
                atomic_load(&service->endpoints[i]->connections) != 0)
                sim_violate(s, NULL, "an endpoint still counts calls or connections");
    }
}

void judge_end(struct sim *s)
{
    for (size_t i = 0; i < s->plan.calls_n + PLAN_LAST; i++)
        if (s->plan.calls[i].submitted && !s->plan.calls[i].closed)
            sim_violate(s, &s->plan.calls[i], "the call never ended at its caller");
    check_empty(s, &s->outbound);
    check_empty(s, &s->inbound);
}
