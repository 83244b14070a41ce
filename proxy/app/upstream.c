/* Pools of connections to endpoints: connecting with a deadline and backoff, room for streams, and the waiting queue.
 * Which endpoint a call gets is core's decision; this file only keeps the facts true. */
#include "app/upstream.h"

#include "app/exchange.h"
#include "app/source.h"

#include <stdio.h>
#include <stdlib.h>

static void serve_waiting(struct upstream *u);

static struct candidate *candidate_of(const struct upconn *c)
{
    return &c->upstream->candidates[c->candidate];
}

static bool is_usable(const struct upconn *c)
{
    return c->ready && !c->draining && !c->left && !c->link.broken;
}

/* Nobody will want a stream of it any more. */
static bool is_over(const struct upstream *u)
{
    return u->retired && u->calls == 0;
}

/* Streams that could be opened now over the connections of one candidate. */
static uint32_t count_room(const struct upstream *u, uint32_t candidate)
{
    uint64_t room = 0;
    LIST_FOR(n, &u->pools[candidate]) {
        const struct upconn *c = CONTAINER_OF(n, struct upconn, pool);
        if (is_usable(c))
            room += session_room(&c->link.session);
    }
    return room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
}

/* Brings the candidate's state in line with its connections. */
static void refresh(struct upstream *u, uint32_t candidate)
{
    struct candidate *cand = &u->candidates[candidate];
    bool ready = false, connecting = false;
    LIST_FOR(n, &u->pools[candidate]) {
        const struct upconn *c = CONTAINER_OF(n, struct upconn, pool);
        ready |= is_usable(c);
        connecting |= !c->ready;
    }
    cand->room = count_room(u, candidate);
    if (ready)
        cand->state = CANDIDATE_READY;
    else if (connecting)
        cand->state = CANDIDATE_CONNECTING;
    else if (cand->state != CANDIDATE_BACKOFF)
        cand->state = CANDIDATE_IDLE;
}

static void arm_retry(struct upstream *u)
{
    ns_t at = u->active && !is_over(u) ? balance_next_connect(&u->balance, u->worker->now) : NS_NEVER;
    wheel_set(&u->worker->wheel, &u->retry, at);
}

static void fail_waiting(struct upstream *u)
{
    struct list calls;
    list_init(&calls);
    list_splice(&calls, &u->waiting);
    for (struct list *n; (n = list_pop(&calls));)
        exchange_on_unreachable(CONTAINER_OF(n, struct exchange, queue));
}

/* An endpoint of the set says goodbye, breaks off or cannot be reached: maybe its name has another one by now. */
static void doubt(struct upstream *u, uint32_t candidate)
{
    if (service_has_source(u->conf) && candidate < u->balance.n)
        source_doubt(u->worker->process, u->service->scope);
}

/* After a connection was lost or could not be made. */
static void after_loss(struct upstream *u, uint32_t candidate)
{
    refresh(u, candidate);
    doubt(u, candidate);
    if (u->conf->source == ENDPOINTS_ORIGINAL && list_is_empty(&u->waiting))
        u->active = false; /* nobody knows whether anyone will go there again */
    if (is_over(u) || !u->active)
        return;
    upstream_connect(u);
    if (!list_is_empty(&u->waiting) && balance_is_unreachable(&u->balance, u->worker->now))
        fail_waiting(u);
    serve_waiting(u);
    arm_retry(u);
}

static void detach(struct upconn *c)
{
    struct upstream *u = c->upstream;
    c->ended = true;
    list_remove(&c->pool);
    wheel_clear(&u->worker->wheel, &c->timer);
    u->connections--;
    u->connecting -= !c->ready;
    atomic_fetch_sub_explicit(&candidate_of(c)->endpoint->connections, 1, memory_order_relaxed);
    counter_add(&u->worker->stats.upstream_disconnects, c->ready);
}

static void release_held(struct upconn *c)
{
    while (!list_is_empty(&c->held))
        exchange_release(CONTAINER_OF(c->held.next, struct exchange, queue));
}

/* Closes the connection; its streams are told. `failed`: it never became ready. */
static void close_conn(struct upconn *c, bool failed)
{
    struct upstream *u = c->upstream;
    struct worker *w = u->worker;
    uint32_t candidate = c->candidate;
    if (c->ended)
        return;
    detach(c);
    if (failed) {
        counter_add(&w->stats.upstream_connect_failures, 1);
        candidate_on_connect_failed(&u->candidates[candidate], w->now, &w->rng);
        struct candidate *cand = &u->candidates[candidate];
        if (u->conf->inbound)
            cand->backoff_until = ns_min(cand->backoff_until, ns_add(w->now, UPSTREAM_LOCAL_BACKOFF_NS));
    }
    refresh(u, candidate);
    link_close(&c->link);
    release_held(c);
    after_loss(u, candidate);
}

static void note_error(struct upconn *c, const char *why)
{
    snprintf(c->upstream->error, sizeof c->upstream->error, "%.100s: %.90s", candidate_of(c)->endpoint->text, why);
}

static void on_ack_timeout(struct timer *t, ns_t now)
{
    struct upconn *c = CONTAINER_OF(t, struct upconn, timer);
    (void)now;
    if (c->link.session.settings_acked)
        return;
    counter_add(&c->link.worker->stats.bounds[BOUND_UPSTREAM][BOUND_SETTINGS_ACK_TIMEOUT], 1);
    note_error(c, "did not acknowledge our SETTINGS in time");
    close_conn(c, false);
}

/* It is looked at when the time is over; nothing is done when the acknowledgement comes. */
static void await_ack(struct upconn *c)
{
    struct worker *w = c->link.worker;
    wheel_clear(&w->wheel, &c->timer);
    timer_init(&c->timer, on_ack_timeout);
    wheel_set(&w->wheel, &c->timer, ns_add(w->now, c->link.session.bounds->settings_ack_timeout));
}

static void on_ready(void *ctx)
{
    struct upconn *c = ctx;
    struct upstream *u = c->upstream;
    c->ready = true;
    u->connecting--;
    await_ack(c);
    candidate_on_connected(candidate_of(c), c->link.worker->now);
    refresh(u, c->candidate);
    if (u->active && !is_over(u)) /* others may have waited for their turn */
        upstream_connect(u);
    serve_waiting(u);
}

static void on_limit(void *ctx)
{
    struct upconn *c = ctx;
    if (!c->ready)
        return;
    refresh(c->upstream, c->candidate);
    serve_waiting(c->upstream);
}

/* A draining connection without streams has nothing left to do. */
static void check_idle(struct upconn *c)
{
    bool unused = c->draining || c->left || is_over(c->upstream);
    if (unused && c->link.session.streams == 0 && !c->ended) {
        c->link.broken = true;
        link_mark(&c->link);
    }
}

/* No new streams on it; another connection takes its place. */
static void replace(struct upconn *c)
{
    c->draining = true;
    refresh(c->upstream, c->candidate);
    if (c->upstream->active && !is_over(c->upstream))
        upstream_connect(c->upstream);
    check_idle(c);
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    struct upconn *c = ctx;
    (void)last_id, (void)code;
    counter_add(&c->link.worker->stats.upstream_goaways, 1);
    doubt(c->upstream, c->candidate);
    replace(c);
}

/* The endpoint has used up a budget. */
static void on_weary(void *ctx)
{
    replace(ctx);
}

static void on_pong(void *ctx)
{
    (void)ctx;
}

static const struct session_ops session_ops = {
    .on_request = NULL,
    .on_headers = upstream_stream_on_headers,
    .on_trailers = upstream_stream_on_trailers,
    .on_data = upstream_stream_on_data,
    .on_reset = upstream_stream_on_reset,
    .on_sent = upstream_stream_on_sent,
    .on_done = upstream_stream_on_done,
    .on_ready = on_ready,
    .on_limit = on_limit,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_weary = on_weary,
};

static void on_open(void *ctx)
{
    struct upconn *c = ctx;
    worker_begin(c->link.worker);
    c->link.open = true;
    trust_on_open(&c->link);
    link_mark(&c->link);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct upconn *c = ctx;
    worker_begin(c->link.worker);
    link_feed(&c->link, p, n);
}

static void on_fed(struct link *l)
{
    struct upconn *c = (struct upconn *)(void *)l;
    if (!l->broken)
        return;
    if (!c->ready)
        note_error(c, "does not speak HTTP/2");
    refresh(c->upstream, c->candidate);
}

static void on_writable(void *ctx)
{
    struct upconn *c = ctx;
    c->link.blocked = false;
    link_mark(&c->link);
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    struct upconn *c = ctx;
    struct worker *w = c->link.worker;
    worker_begin(w);
    link_feed_all(&c->link);
    note_error(c, why);
    if (end == CONN_END_TLS && c->link.conn)
        trust_on_refused(w, w->stats.refused_endpoints, conn_refusal(c->link.conn), candidate_of(c)->endpoint->text,
                         why);
    close_conn(c, !c->ready);
}

static const struct conn_ops conn_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_end};

static void on_connect_timeout(struct timer *t, ns_t now)
{
    struct upconn *c = CONTAINER_OF(t, struct upconn, timer);
    (void)now;
    note_error(c, c->link.open ? "no HTTP/2 SETTINGS within 1 s" : "no connection within 1 s");
    close_conn(c, true);
}

static void on_broken(struct link *l)
{
    struct upconn *c = (struct upconn *)(void *)l;
    close_conn(c, !c->ready);
}

static void free_link(struct link *l)
{
    free(l);
}

static void on_flushed(struct link *l)
{
    release_held((struct upconn *)(void *)l);
}

static void drain(struct link *l)
{
    replace((struct upconn *)(void *)l);
}

static const struct link_ops link_ops = {
    .on_fed = on_fed, .on_flushed = on_flushed, .on_broken = on_broken, .drain = drain, .free = free_link};

static void connect_one(struct upstream *u, uint32_t candidate)
{
    struct worker *w = u->worker;
    struct candidate *cand = &u->candidates[candidate];
    struct upconn *c = calloc(1, sizeof *c);
    if (!c) {
        candidate_on_connect_failed(cand, w->now, &w->rng);
        return;
    }
    c->upstream = u;
    c->candidate = candidate;
    list_init(&c->held);
    timer_init(&c->timer, on_connect_timeout);
    link_init(&c->link, w, &link_ops);
    session_init_narrow(&c->link.session, &w->sessions, bounds_first_window(w->sessions.bounds, u->conf->inbound),
                        &session_ops, c);
    list_push_back(&u->pools[candidate], &c->pool);
    u->connections++;
    u->connecting++;
    atomic_fetch_add_explicit(&cand->endpoint->connections, 1, memory_order_relaxed);
    counter_add(&w->stats.upstream_connects, 1);
    struct tls_expect expect = {.server_name = u->conf->peer_dns ? u->conf->peer_dns
                                               : u->sni[0]       ? u->sni
                                                                 : NULL,
                                .identity = u->conf->peer_identity,
                                .dns = u->conf->peer_dns};
    wheel_set(&w->wheel, &c->timer, ns_add(w->now, UPSTREAM_CONNECT_NS));
    candidate_on_connecting(cand, w->now);
    refresh(u, candidate);
    c->link.conn = conn_connect(w->conns, &cand->endpoint->address, u->service->tls, &expect, &conn_ops, c);
    if (!c->link.conn) {
        note_error(c, "no descriptor or memory for a connection");
        wheel_set(&w->wheel, &c->timer, w->now);
    }
}

static uint32_t pool_size(const struct upstream *u, uint32_t candidate)
{
    uint32_t n = 0;
    LIST_FOR(at, &u->pools[candidate])
        n++;
    return n;
}

static bool pool_is_connecting(const struct upstream *u, uint32_t candidate)
{
    LIST_FOR(n, &u->pools[candidate])
        if (!CONTAINER_OF(n, struct upconn, pool)->ready)
            return true;
    return false;
}

/* Calls wait although endpoints are connected: their streams are used up. One more connection where that is allowed. */
static void grow(struct upstream *u)
{
    int best = -1;
    uint32_t best_size = u->connections_max;
    for (uint32_t i = 0; i < u->balance.n; i++) {
        uint32_t size = pool_size(u, i);
        const struct candidate *cand = &u->candidates[i];
        if (cand->state != CANDIDATE_READY || cand->backoff_until > u->worker->now || size >= best_size ||
            pool_is_connecting(u, i))
            continue;
        best = (int)i;
        best_size = size;
    }
    if (best >= 0)
        connect_one(u, (uint32_t)best);
}

void upstream_connect(struct upstream *u)
{
    u->active = true;
    for (int i; (i = balance_connect(&u->balance, u->worker->now)) != BALANCE_NONE;) {
        if (u->connecting >= u->worker->bounds->bounds.connecting) {
            counter_add(&u->worker->stats.bounds[BOUND_UPSTREAM][BOUND_CONNECTING], 1);
            break;
        }
        connect_one(u, (uint32_t)i);
    }
    arm_retry(u);
}

static void on_retry(struct timer *t, ns_t now)
{
    struct upstream *u = CONTAINER_OF(t, struct upstream, retry);
    for (uint32_t i = 0; i < u->balance.n; i++)
        candidate_tick(&u->candidates[i], now);
    upstream_connect(u);
}

/* In order of arrival. One that breakers keep from the endpoints with room holds up nobody behind it. */
static void serve_waiting(struct upstream *u)
{
    struct list *kept = &u->waiting; /* the last one that stays, at first the head */
    while (kept->next != &u->waiting) {
        struct list *n = kept->next;
        exchange_on_room(CONTAINER_OF(n, struct exchange, queue));
        if (kept != &u->waiting && list_is_empty(kept)) {
            kept = &u->waiting; /* it was served meanwhile: from the beginning */
        } else if (kept->next == n) {
            if (!balance_has_room(&u->balance)) {
                grow(u);
                return;
            }
            kept = n;
        }
    }
}

void upstream_wait(struct upstream *u, struct exchange *x)
{
    list_push_back(&u->waiting, &x->queue);
    upstream_connect(u);
    grow(u);
}

void upstream_unwait(struct upstream *u, struct exchange *x)
{
    (void)u;
    list_remove(&x->queue);
}

struct upconn *upstream_find(struct upstream *u, int candidate)
{
    LIST_FOR(n, &u->pools[candidate]) {
        struct upconn *c = CONTAINER_OF(n, struct upconn, pool);
        if (is_usable(c) && session_room(&c->link.session) > 0)
            return c;
    }
    refresh(u, (uint32_t)candidate);
    return NULL;
}

void upstream_on_stream_opened(struct upconn *c)
{
    struct candidate *cand = candidate_of(c);
    cand->room = count_room(c->upstream, c->candidate);
    if (session_is_used_up(&c->link.session) && !c->draining) {
        counter_add(&c->link.worker->stats.bounds[BOUND_UPSTREAM][BOUND_STREAM_IDS], 1);
        replace(c);
    }
}

void upstream_on_stream_closed(struct upconn *c)
{
    struct upstream *u = c->upstream;
    if (c->ended)
        return;
    u->candidates[c->candidate].room = count_room(u, c->candidate);
    check_idle(c);
    if (!list_is_empty(&u->waiting))
        serve_waiting(u);
}

bool upconn_is_unsent(const struct upconn *c, uint64_t headers_at)
{
    return !c->link.conn || headers_at >= conn_offered(c->link.conn);
}

static void set_conf(struct upstream *u, struct generation *g, uint32_t index)
{
    u->generation = generation_ref(g);
    u->service = g->services[index];
    u->conf = generation_conf(g, index);
    uint32_t max = u->conf->policy->limits.max_connections_per_endpoint / u->worker->process->workers_n;
    u->connections_max = max > 0 ? max : 1;
    u->balance.kind = u->conf->balance;
    u->balance.options = u->conf->balance_options;
    u->methods = u->service->scope->tables[u->worker->id];
    method_table_set_policy(u->methods, u->conf->policy);
    if (u->conf->authority_name)
        snprintf(u->sni, sizeof u->sni, "%s", u->conf->authority_name);
}

struct upstream *upstream_new(struct worker *w, struct generation *g, uint32_t index)
{
    struct upstream *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->worker = w;
    list_init(&u->waiting);
    timer_init(&u->retry, on_retry);
    set_conf(u, g, index);
    upstream_set_endpoints(u, u->service);
    balance_init(&u->balance, u->conf->balance, u->candidates, u->candidates_n, &w->rng);
    u->balance.options = u->conf->balance_options;
    list_push_back(&w->upstreams, &u->node);
    return u;
}

/* A set of endpoints is in force: what left says goodbye, what came back or is new may serve. */
static void on_set_changed(struct upstream *u)
{
    for (uint32_t i = 0; i < u->candidates_n; i++) {
        bool left = i >= u->balance.n;
        if (list_is_empty(&u->pools[i]))
            continue;
        LIST_FOR_SAFE(n, &u->pools[i]) {
            struct upconn *c = CONTAINER_OF(n, struct upconn, pool);
            c->left = left;
            if (left && !c->ready)
                close_conn(c, false);
            else
                check_idle(c);
        }
        refresh(u, i);
    }
    if (!u->active)
        return;
    upstream_connect(u);
    serve_waiting(u);
    if (!list_is_empty(&u->waiting) && balance_is_unreachable(&u->balance, u->worker->now))
        fail_waiting(u);
}

void upstream_renew(struct upstream *u, struct generation *g, uint32_t index)
{
    struct generation *old = u->generation;
    const struct service *before = u->service;
    set_conf(u, g, index);
    if (u->service != before) {
        upstream_set_endpoints(u, u->service);
        on_set_changed(u);
    }
    generation_unref(old);
}

void upstream_retire(struct upstream *u)
{
    u->retired = true;
    if (!is_over(u))
        return;
    wheel_clear(&u->worker->wheel, &u->retry);
    for (uint32_t i = 0; i < u->candidates_n; i++)
        LIST_FOR(n, &u->pools[i])
            check_idle(CONTAINER_OF(n, struct upconn, pool));
}

void upstream_close_all(struct upstream *u)
{
    u->active = false;
    u->retired = true;
    wheel_clear(&u->worker->wheel, &u->retry);
    for (uint32_t i = 0; i < u->candidates_n; i++)
        while (!list_is_empty(&u->pools[i]))
            close_conn(CONTAINER_OF(u->pools[i].next, struct upconn, pool), false);
}

void upstream_free(struct upstream *u)
{
    list_remove(&u->node);
    wheel_clear(&u->worker->wheel, &u->retry);
    generation_unref(u->generation);
    for (uint32_t i = 0; i < u->candidates_n; i++)
        endpoint_unref(u->candidates[i].endpoint);
    free(u->candidates);
    free(u->pools);
    free(u);
}
