/* Accepted connections: from the handshake to the last GOAWAY. */
#include "app/downstream.h"

#include "app/bound.h"
#include "app/exchange.h"
#include "app/worker.h"
#include "net/sock.h"

#include <stdlib.h>

static struct exchange *of_down(struct stream *s)
{
    return CONTAINER_OF(s, struct exchange, down);
}

static struct stream *on_request(void *ctx)
{
    struct downstream *d = ctx;
    if (pressure_level(&d->link.worker->process->pressure) != PRESSURE_NONE) {
        counter_add(&d->link.worker->stats.bounds[BOUND_DOWNSTREAM][BOUND_MEMORY], 1);
        downstream_drain(d);
        return NULL;
    }
    struct exchange *x = exchange_new(d);
    return x ? &x->down : NULL;
}

static void on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    exchange_on_request(of_down(s), h, end, oversize);
}

static void on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    (void)h, (void)oversize;
    exchange_on_request_trailers(of_down(s));
}

static void on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    exchange_on_request_data(of_down(s), p, n, end);
}

static void on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    (void)code, (void)how;
    exchange_on_caller_reset(of_down(s));
}

static void on_sent(struct stream *s, size_t n)
{
    exchange_on_caller_sent(of_down(s), n);
}

static void on_done(struct stream *s)
{
    exchange_on_done(of_down(s));
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    (void)ctx, (void)last_id, (void)code;
}

static void on_pong(void *ctx)
{
    struct downstream *d = ctx;
    if (!d->announced)
        return;
    session_finish_drain(&d->link.session);
    link_mark(&d->link);
    wheel_clear(&d->link.worker->wheel, &d->timer);
    downstream_check_drained(d);
}

/* It has used up a budget or its stream ids: GOAWAY with the last stream that is served. */
static void on_weary(void *ctx)
{
    struct downstream *d = ctx;
    d->announced = true;
    on_pong(d);
}

static const struct session_ops session_ops = {
    .on_request = on_request,
    .on_headers = on_headers,
    .on_trailers = on_trailers,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_sent = on_sent,
    .on_done = on_done,
    .on_ready = ignore,
    .on_limit = ignore,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_weary = on_weary,
};

static void count(const struct downstream *d, enum bound_kind kind)
{
    counter_add(&d->link.worker->stats.bounds[BOUND_DOWNSTREAM][kind], 1);
}

/* No stream for too long: in order, as any drain. Else it is looked at again when that may be so. */
static void check_idle(struct downstream *d, ns_t now)
{
    const struct session *s = &d->link.session;
    ns_t idle = s->bounds->idle_connection;
    ns_t end = ns_add(s->streams > 0 ? now : s->idle_since, idle);
    if (end <= now) {
        count(d, BOUND_IDLE_CONNECTION);
        downstream_drain(d);
    } else {
        wheel_set(&d->link.worker->wheel, &d->timer, end);
    }
}

static void on_timer(struct timer *t, ns_t now)
{
    static const enum bound_kind kinds[] = {[DOWNSTREAM_HANDSHAKE] = BOUND_HANDSHAKE_TIMEOUT,
                                            [DOWNSTREAM_PREFACE] = BOUND_PREFACE_TIMEOUT,
                                            [DOWNSTREAM_ACK] = BOUND_SETTINGS_ACK_TIMEOUT};
    struct downstream *d = CONTAINER_OF(t, struct downstream, timer);
    if (d->announced) {
        on_pong(d);
    } else if (d->stage == DOWNSTREAM_READY) {
        check_idle(d, now);
    } else {
        count(d, kinds[d->stage]);
        downstream_close(d);
    }
}

/* Sets the timer for what is awaited now. */
static void enter(struct downstream *d, enum downstream_stage stage)
{
    struct worker *w = d->link.worker;
    const struct bounds *b = d->link.session.bounds;
    const ns_t waits[] = {[DOWNSTREAM_HANDSHAKE] = b->handshake_timeout,
                          [DOWNSTREAM_PREFACE] = b->preface_timeout,
                          [DOWNSTREAM_ACK] = b->settings_ack_timeout,
                          [DOWNSTREAM_READY] = b->idle_connection};
    if (d->stage < DOWNSTREAM_ACK && stage >= DOWNSTREAM_ACK)
        bound_greeted(d->bound);
    d->stage = stage;
    if (!d->announced)
        wheel_set(&w->wheel, &d->timer, ns_add(w->now, waits[stage]));
}

static void on_fed(struct link *l)
{
    struct downstream *d = (struct downstream *)(void *)l;
    const struct session *s = &l->session;
    if (d->stage == DOWNSTREAM_READY || !s->settings_seen)
        return;
    if (s->settings_acked)
        enter(d, DOWNSTREAM_READY);
    else if (d->stage < DOWNSTREAM_ACK)
        enter(d, DOWNSTREAM_ACK);
}

static void on_open(void *ctx)
{
    struct downstream *d = ctx;
    struct worker *w = d->link.worker;
    d->link.open = true;
    trust_on_open(&d->link);
    if (w->draining || !worker_listener(w, d->bound))
        downstream_drain(d);
    else
        enter(d, DOWNSTREAM_PREFACE);
    link_mark(&d->link);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct downstream *d = ctx;
    worker_begin(d->link.worker);
    link_feed(&d->link, p, n);
}

static void on_writable(void *ctx)
{
    struct downstream *d = ctx;
    d->link.blocked = false;
    link_mark(&d->link);
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    struct downstream *d = ctx;
    struct worker *w = d->link.worker;
    worker_begin(w);
    link_feed_all(&d->link);
    if (end == CONN_END_TLS && d->link.conn)
        trust_on_refused(w, w->stats.refused_callers, conn_refusal(d->link.conn), d->bound->text, why);
    downstream_close(d);
}

static const struct conn_ops conn_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_end};

static void on_broken(struct link *l)
{
    downstream_close((struct downstream *)(void *)l);
}

static void drain(struct link *l)
{
    struct downstream *d = (struct downstream *)(void *)l;
    downstream_drain(d);
    if (conn_refusal(l->conn) != REFUSAL_REVOKED || d->ended)
        return;
    session_finish_drain(&l->session); /* no grace for what a revoked peer may still begin */
    downstream_check_drained(d);
}

static void free_link(struct link *l)
{
    free(l);
}

static void on_flushed(struct link *l)
{
    downstream_check_drained((struct downstream *)(void *)l);
}

static const struct link_ops link_ops = {
    .on_fed = on_fed, .on_flushed = on_flushed, .on_broken = on_broken, .drain = drain, .free = free_link};

static uint32_t streams_max(const struct worker *w, const struct bound *b)
{
    const struct listener_runtime *l = worker_listener(w, b);
    const struct bounds *bounds = w->sessions.bounds;
    return (uint32_t)(l && !l->conf->inbound ? bounds->max_concurrent_streams_outbound
                                             : bounds->max_concurrent_streams);
}

void downstream_new(struct worker *w, struct bound *b, const struct accepted *a)
{
    const struct listener_runtime *l = worker_listener(w, b);
    struct downstream *d = l ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        sock_close(a->fd);
        captured_leave(a->captured);
        bound_greeted(b);
        bound_leave(b);
        atomic_fetch_sub(&w->connections, 1);
        return;
    }
    d->bound = b;
    d->captured = a->captured;
    d->flaw = a->flaw;
    timer_init(&d->timer, on_timer);
    list_init(&d->held);
    list_push_back(&w->downstreams, &d->node);
    link_init(&d->link, w, &link_ops);
    session_init(&d->link.session, &w->sessions, true, streams_max(w, b), &session_ops, d);
    counter_add(&w->stats.connections_accepted, 1);
    enter(d, DOWNSTREAM_HANDSHAKE);
    d->link.conn = conn_accepted(w->conns, a->fd, l->tls, &conn_ops, d);
    if (!d->link.conn)
        downstream_close(d);
}

void downstream_drain(struct downstream *d)
{
    struct worker *w = d->link.worker;
    if (d->announced || d->ended)
        return;
    d->announced = true;
    session_announce_drain(&d->link.session);
    link_mark(&d->link);
    wheel_set(&w->wheel, &d->timer, ns_add(w->now, DOWNSTREAM_PONG_NS));
}

void downstream_check_drained(struct downstream *d)
{
    if (!d->announced || d->ended || !d->link.session.goaway_final || d->link.session.streams > 0)
        return;
    if (!d->link.blocked && buf_len(&d->link.session.out) == 0)
        d->link.broken = true; /* all is written: closed by the flush, with a linger */
    link_mark(&d->link);
}

void downstream_close(struct downstream *d)
{
    struct worker *w = d->link.worker;
    if (d->ended)
        return;
    d->ended = true;
    wheel_clear(&w->wheel, &d->timer);
    link_close(&d->link);
    while (!list_is_empty(&d->held))
        exchange_release(CONTAINER_OF(d->held.next, struct exchange, place));
    list_remove(&d->node);
    counter_add(&w->stats.connections_closed, 1);
    if (d->stage < DOWNSTREAM_ACK)
        bound_greeted(d->bound);
    bound_leave(d->bound);
    captured_leave(d->captured);
    d->captured = NULL;
    atomic_fetch_sub(&w->connections, 1);
    worker_check_drained(w);
}
