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
    struct exchange *x = exchange_new(ctx);
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
};

static void on_timer(struct timer *t, ns_t now)
{
    struct downstream *d = CONTAINER_OF(t, struct downstream, timer);
    struct worker_stats *stats = &d->link.worker->stats;
    (void)now;
    if (d->announced) {
        on_pong(d);
        return;
    }
    counter_add(d->link.open ? &stats->bound_preface_deadline : &stats->bound_handshake_deadline, 1);
    downstream_close(d);
}

static void on_open(void *ctx)
{
    struct downstream *d = ctx;
    struct worker *w = d->link.worker;
    d->link.open = true;
    if (w->draining || !worker_listener(w, d->bound))
        downstream_drain(d);
    else
        wheel_set(&w->wheel, &d->timer, ns_add(w->now, DOWNSTREAM_PREFACE_NS));
    link_mark(&d->link);
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct downstream *d = ctx;
    bool waits = !d->link.session.settings_seen && !d->announced;
    worker_begin(d->link.worker);
    link_feed(&d->link, p, n);
    if (waits && d->link.session.settings_seen && !d->announced)
        wheel_clear(&d->link.worker->wheel, &d->timer);
}

static void on_writable(void *ctx)
{
    struct downstream *d = ctx;
    d->link.blocked = false;
    link_mark(&d->link);
}

static void on_end(void *ctx, enum conn_end end, const char *why)
{
    (void)end, (void)why;
    worker_begin(((struct downstream *)ctx)->link.worker);
    downstream_close(ctx);
}

static const struct conn_ops conn_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_end};

static void on_broken(struct link *l)
{
    downstream_close((struct downstream *)(void *)l);
}

static void free_link(struct link *l)
{
    free(l);
}

static void on_flushed(struct link *l)
{
    downstream_check_drained((struct downstream *)(void *)l);
}

static const struct link_ops link_ops = {.on_flushed = on_flushed, .on_broken = on_broken, .free = free_link};

static uint32_t streams_max(const struct worker *w, const struct bound *b)
{
    const struct listener_runtime *l = worker_listener(w, b);
    return l && !l->conf->inbound ? DOWNSTREAM_STREAMS_OUTBOUND : DOWNSTREAM_STREAMS_INBOUND;
}

void downstream_new(struct worker *w, struct bound *b, int fd)
{
    const struct listener_runtime *l = worker_listener(w, b);
    struct downstream *d = l ? calloc(1, sizeof *d) : NULL;
    if (!d) {
        sock_close(fd);
        bound_leave(b);
        atomic_fetch_sub(&w->connections, 1);
        return;
    }
    d->bound = b;
    timer_init(&d->timer, on_timer);
    list_push_back(&w->downstreams, &d->node);
    link_init(&d->link, w, &link_ops);
    session_init(&d->link.session, &w->sessions, true, streams_max(w, b), &session_ops, d);
    counter_add(&w->stats.connections_accepted, 1);
    wheel_set(&w->wheel, &d->timer, ns_add(w->now, DOWNSTREAM_HANDSHAKE_NS));
    d->link.conn = conn_accepted(w->conns, fd, l->tls, &conn_ops, d);
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
    list_remove(&d->node);
    counter_add(&w->stats.connections_closed, 1);
    bound_leave(d->bound);
    atomic_fetch_sub(&w->connections, 1);
    worker_check_drained(w);
}
