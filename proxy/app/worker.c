/* A worker's turn, and how it takes connections, generations and the end. */
#include "app/worker.h"

#include "app/downstream.h"
#include "app/exchange.h"
#include "app/upstream.h"
#include "base/must.h"
#include "net/sock.h"

#include <stdlib.h>

static void flush_dirty(struct worker *w)
{
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &w->dirty);
    for (struct list *n; (n = list_pop(&todo));) {
        struct link *l = CONTAINER_OF(n, struct link, dirty);
        link_flush(l);
        if (!l->broken && !l->blocked && l->open && buf_len(&l->session.out) == 0)
            l->ops->on_flushed(l);
        if (l->broken)
            l->ops->on_broken(l);
    }
}

static bool view_is_unused(const struct view *v)
{
    return !v->current && v->calls == 0;
}

static void free_view(struct view *v)
{
    list_remove(&v->node);
    generation_unref(v->generation);
    free(v->upstreams);
    free(v);
}

void view_leave(struct worker *w, struct view *v)
{
    (void)w;
    v->calls--;
    if (view_is_unused(v))
        free_view(v);
}

static void sweep(struct worker *w)
{
    for (struct list *n; (n = list_pop(&w->dead));)
        exchange_free(CONTAINER_OF(n, struct exchange, dead));
    for (struct list *n; (n = list_pop(&w->dead_links));) {
        struct link *l = CONTAINER_OF(n, struct link, dead);
        l->ops->free(l);
    }
    LIST_FOR_SAFE(n, &w->upstreams) {
        struct upstream *u = CONTAINER_OF(n, struct upstream, node);
        if (u->retired && u->calls == 0 && u->connections == 0)
            upstream_free(u);
        else if (u->retired)
            upstream_retire(u);
    }
    conn_sweep(w->conns);
}

static void on_alarm(void *ctx)
{
    struct worker *w = ctx;
    w->alarm_at = NS_NEVER;
}

static void set_alarm(struct worker *w)
{
    bool more = !list_is_empty(&w->dirty) || !list_is_empty(&w->yielded);
    ns_t at = more ? w->now : wheel_next(&w->wheel);
    if (at == w->alarm_at)
        return;
    w->alarm_at = at;
    loop_set_alarm(w->loop, at, on_alarm, w);
}

/* System calls of this thread so far. */
static void count_calls(struct worker *w)
{
    uint64_t reads, writes;
    sock_counts(&reads, &writes);
    atomic_store_explicit(&w->stats.reads, reads, memory_order_relaxed);
    atomic_store_explicit(&w->stats.writes, writes, memory_order_relaxed);
    atomic_store_explicit(&w->stats.polls, loop_polls(w->loop), memory_order_relaxed);
    atomic_store_explicit(&w->spare_bytes, slab_spare(&w->exchanges) + slab_spare(&w->sessions.chunks),
                          memory_order_relaxed);
}

/* Memory can grow faster than it is looked at. */
static void watch_growth(struct worker *w)
{
    size_t bytes = slab_bytes(&w->exchanges) + slab_bytes(&w->sessions.chunks);
    if (bytes >= w->looked_bytes + PRESSURE_STEP_BYTES)
        pressure_hurry(w->process);
    else if (bytes >= w->looked_bytes)
        return;
    w->looked_bytes = bytes;
}

/* Links whose frames were used up in an earlier turn. */
static void feed_yielded(struct worker *w)
{
    struct list todo;
    list_init(&todo);
    list_splice(&todo, &w->yielded);
    for (struct list *n; (n = list_pop(&todo));) {
        struct link *l = CONTAINER_OF(n, struct link, yielded);
        if (l->turn == w->turn)
            list_push_back(&w->yielded, n);
        else
            link_feed_rest(l);
    }
}

static void start_deferred(struct worker *w)
{
    for (struct list *n; (n = list_pop(&w->deferred));)
        exchange_start_deferred(CONTAINER_OF(n, struct exchange, queue));
}

/* The end of every turn: frames that waited, timers that are due, one write a connection, then what is dead. Links that
 * owe more after their write get another turn. */
static void on_turn_end(void *ctx)
{
    struct worker *w = ctx;
    worker_begin(w);
    feed_yielded(w);
    start_deferred(w);
    wheel_advance(&w->wheel, w->now);
    flush_dirty(w);
    sweep(w);
    w->turn++;
    set_alarm(w);
    count_calls(w);
    watch_growth(w);
}

static void on_rest(struct timer *t, ns_t now)
{
    struct worker *w = CONTAINER_OF(t, struct worker, rest);
    LIST_FOR_SAFE(n, &w->busy)
        link_look(CONTAINER_OF(n, struct link, busy), now);
    if (!list_is_empty(&w->busy))
        worker_arm_rest(w);
}

static void on_drain_end(struct timer *t, ns_t now)
{
    struct worker *w = CONTAINER_OF(t, struct worker, drain_end);
    (void)now;
    LIST_FOR_SAFE(n, &w->live)
        exchange_on_drain(CONTAINER_OF(n, struct exchange, live));
    LIST_FOR_SAFE(n, &w->downstreams) {
        struct downstream *d = CONTAINER_OF(n, struct downstream, node);
        session_finish_drain(&d->link.session);
        d->link.broken = true;
        link_mark(&d->link);
    }
}

struct worker *worker_new(struct process *p, uint32_t id, uint64_t seed)
{
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->process = p;
    w->id = id;
    w->loop = loop_new();
    w->conns = w->loop ? conn_env_new(w->loop) : NULL;
    if (!w->conns) {
        loop_free(w->loop);
        free(w);
        return NULL;
    }
    struct list *lists[] = {&w->dirty,       &w->busy,      &w->dead,  &w->dead_links, &w->yielded, &w->live,
                            &w->downstreams, &w->upstreams, &w->views, &w->all_bounds, &w->deferred};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        list_init(lists[i]);
    session_env_init(&w->sessions, &w->stats);
    slab_init(&w->exchanges, sizeof(struct exchange));
    rng_init(&w->rng, seed + id);
    w->seed = rng_next(&w->rng);
    worker_begin(w);
    w->turn = 1;
    wheel_init(&w->wheel, w->now);
    timer_init(&w->rest, on_rest);
    timer_init(&w->drain_end, on_drain_end);
    trust_state_init(w);
    w->alarm_at = NS_NEVER;
    loop_set_turn_end(w->loop, on_turn_end, w);
    return w;
}

void worker_free(struct worker *w)
{
    LIST_FOR_SAFE(n, &w->downstreams)
        downstream_close(CONTAINER_OF(n, struct downstream, node));
    LIST_FOR_SAFE(n, &w->upstreams)
        upstream_close_all(CONTAINER_OF(n, struct upstream, node));
    if (w->view)
        w->view->current = false;
    sweep(w);
    LIST_FOR_SAFE(n, &w->upstreams)
        upstream_free(CONTAINER_OF(n, struct upstream, node));
    LIST_FOR_SAFE(n, &w->views)
        free_view(CONTAINER_OF(n, struct view, node));
    LIST_FOR_SAFE(n, &w->all_bounds)
        free(CONTAINER_OF(n, struct bounds_ref, node));
    slab_fini(&w->exchanges);
    session_env_fini(&w->sessions);
    conn_env_free(w->conns);
    loop_free(w->loop);
    free(w);
}

static struct upstream *find_upstream(struct worker *w, const struct service *service)
{
    LIST_FOR(n, &w->upstreams) {
        struct upstream *u = CONTAINER_OF(n, struct upstream, node);
        if (strcmp(u->service->key, service->key) == 0 && !u->retired)
            return u;
    }
    return NULL;
}

static struct view *new_view(struct worker *w, struct generation *g)
{
    size_t n = g->services_n;
    struct view *v = must_have(calloc(1, sizeof *v));
    struct upstream **upstreams = must_have(calloc(n + 1, sizeof(struct upstream *)));
    v->generation = generation_ref(g);
    v->upstreams = upstreams;
    v->upstreams_n = n;
    v->current = true;
    list_push_back(&w->views, &v->node);
    for (uint32_t i = 0; i < n; i++) {
        v->upstreams[i] = find_upstream(w, g->services[i]);
        if (v->upstreams[i])
            upstream_renew(v->upstreams[i], g, i);
        else
            v->upstreams[i] = upstream_new(w, g, i);
        must_have(v->upstreams[i]);
    }
    return v;
}

static void retire_others(struct worker *w, const struct generation *g)
{
    LIST_FOR_SAFE(n, &w->upstreams) {
        struct upstream *u = CONTAINER_OF(n, struct upstream, node);
        if (u->generation != g && !u->retired)
            upstream_retire(u);
    }
}

struct bounds_ref *worker_share_bounds(struct worker *w)
{
    w->bounds->refs++;
    return w->bounds;
}

void worker_give_bounds(struct worker *w, struct bounds_ref *b)
{
    (void)w;
    if (--b->refs > 0)
        return;
    list_remove(&b->node);
    free(b);
}

/* Those in force hold for connections that begin now; the others keep theirs. */
static void set_bounds(struct worker *w, const struct bounds *bounds)
{
    if (w->bounds && memcmp(&w->bounds->bounds, bounds, sizeof *bounds) == 0)
        return;
    struct bounds_ref *b = must_have(calloc(1, sizeof *b));
    b->bounds = *bounds;
    b->refs = 1;
    list_push_back(&w->all_bounds, &b->node);
    if (w->bounds)
        worker_give_bounds(w, w->bounds);
    w->bounds = b;
    w->sessions.bounds = &b->bounds;
}

void worker_apply(struct worker *w, struct generation *g)
{
    worker_begin(w);
    struct view *old = w->view;
    set_bounds(w, &g->snapshot->bounds);
    w->view = new_view(w, g);
    retire_others(w, g);
    if (old) {
        old->current = false;
        if (view_is_unused(old))
            free_view(old);
    }
    LIST_FOR_SAFE(n, &w->downstreams) {
        struct downstream *d = CONTAINER_OF(n, struct downstream, node);
        if (!worker_listener(w, d->bound) && d->link.open)
            downstream_drain(d);
    }
}

const struct listener_runtime *worker_listener(const struct worker *w, const struct bound *b)
{
    const struct generation *g = w->view->generation;
    for (size_t i = 0; i < g->listeners_n; i++)
        if (g->listeners[i].bound == b)
            return &g->listeners[i];
    return NULL;
}

void worker_accept(struct worker *w, struct bound *b, const struct accepted *a)
{
    worker_begin(w);
    downstream_new(w, b, a);
}

void worker_drain(struct worker *w, ns_t time_left)
{
    worker_begin(w);
    w->draining = true;
    wheel_set(&w->wheel, &w->drain_end, ns_add(w->now, time_left));
    LIST_FOR_SAFE(n, &w->downstreams) {
        struct downstream *d = CONTAINER_OF(n, struct downstream, node);
        if (d->link.open)
            downstream_drain(d);
    }
    worker_check_drained(w);
}

struct drain_job {
    struct worker *worker;
    ns_t time_left;
};

static void run_drain(void *job)
{
    struct drain_job *j = job;
    worker_drain(j->worker, j->time_left);
    free(j);
}

void worker_post_drain(struct worker *w, ns_t time_left)
{
    struct drain_job *job = must_have(malloc(sizeof *job));
    *job = (struct drain_job){w, time_left};
    must_do(loop_post(w->loop, run_drain, job));
}

/* Resets uploads that their endpoints do not take: those that hold at least half of what the largest does. */
static uint64_t shed_uploads(struct worker *w, uint64_t bytes)
{
    uint64_t most = 0, freed = 0;
    LIST_FOR(n, &w->live) {
        uint64_t stuck = exchange_stuck(CONTAINER_OF(n, struct exchange, live));
        most = stuck > most ? stuck : most;
    }
    LIST_FOR_SAFE(n, &w->live) {
        struct exchange *x = CONTAINER_OF(n, struct exchange, live);
        uint64_t stuck = freed < bytes && most > 0 ? exchange_stuck(x) : 0;
        if (stuck == 0 || stuck < most / 2)
            continue;
        freed += stuck;
        session_give_up(&x->down);
        link_mark(&x->downstream->link);
    }
    return freed;
}

void worker_shed(struct worker *w, uint64_t bytes)
{
    uint64_t freed = 0, before;
    worker_begin(w);
    do {
        before = freed;
        LIST_FOR_SAFE(n, &w->downstreams) {
            struct link *l = &CONTAINER_OF(n, struct downstream, node)->link;
            if (freed >= bytes)
                return;
            freed += session_reset_largest(&l->session);
            link_mark(l);
        }
    } while (freed > before);
    while (freed < bytes && (before = shed_uploads(w, bytes - freed)) > 0)
        freed += before;
}

void worker_check_drained(struct worker *w)
{
    if (!w->draining || w->drained || !list_is_empty(&w->downstreams))
        return;
    w->drained = true;
    LIST_FOR_SAFE(n, &w->upstreams)
        upstream_close_all(CONTAINER_OF(n, struct upstream, node));
    must_do(loop_post(w->process->loop, process_on_drained, w->process));
}
