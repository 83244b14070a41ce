/* One connection of a client: look-up, connecting, its session, keepalive, and its end. */
#include "app/client_internal.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

static struct client_request *of_stream(struct stream *s)
{
    return CONTAINER_OF(s, struct client_request, stream);
}

void client_link_doom(struct client_link *l, enum client_end end, const char *why)
{
    if (l->doomed)
        return;
    l->doomed = true;
    l->end = end;
    snprintf(l->why, sizeof l->why, "%s", why);
    client_kick(l->client->env);
}

/* Waits again, for another connection. */
static void send_again(struct client_request *r)
{
    r->again = true;
    r->link = NULL;
    list_remove(&r->node);
    list_push_front(&r->client->waiting, &r->node);
    client_kick(r->client->env);
}

static unsigned status_of(const struct headers *h)
{
    const struct header *f = headers_find(h, TOKEN_STATUS);
    unsigned status = 0;
    for (uint32_t i = 0; f && i < f->value_n && i < 3; i++)
        status = status * 10 + (unsigned)(f->value[i] - '0');
    return status;
}

static void on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    struct client_request *r = of_stream(s);
    if (r->over)
        return;
    if (oversize) {
        client_finish(r, CLIENT_END_LIMIT, NULL, "the answer has too many or too long fields");
        return;
    }
    r->events->on_response(r->ctx, status_of(h), h);
    if (end)
        client_finish(r, CLIENT_END_DONE, NULL, "");
}

static void on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    client_finish(of_stream(s), oversize ? CLIENT_END_LIMIT : CLIENT_END_DONE, oversize ? NULL : h,
                  oversize ? "the trailers have too many or too long fields" : "");
}

static void on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    struct client_request *r = of_stream(s);
    if (r->over)
        return;
    if (n > 0)
        r->events->on_data(r->ctx, p, n);
    stream_consume(s, n);
    if (end)
        client_finish(r, CLIENT_END_DONE, NULL, "");
}

static void on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    struct client_request *r = of_stream(s);
    struct client_link *l = r->link;
    char why[64];
    if (r->over)
        return;
    if (how == SESSION_RESET_REFUSED && !r->again && !r->client->freed) {
        send_again(r);
    } else if (how == SESSION_RESET_LOST) {
        client_finish(r, l->end, NULL, l->why);
    } else {
        snprintf(why, sizeof why, how == SESSION_RESET_PROTOCOL ? "broke HTTP/2" : "stream reset with code %u",
                 (unsigned)code);
        client_finish(r, CLIENT_END_RESET, NULL, why);
    }
}

static void on_sent(struct stream *s, size_t n)
{
    (void)s, (void)n;
}

static void on_done(struct stream *s)
{
    (void)s; /* the answer ended it already */
}

static void arm(struct client_link *l, ns_t at)
{
    loop_timer_set(l->timer, at);
}

static void on_ready(void *ctx)
{
    struct client_link *l = ctx;
    l->ready = true;
    l->touched = loop_now(l->client->env->loop);
    arm(l, ns_add(l->touched, CLIENT_PING_NS));
}

static void on_limit(void *ctx)
{
    (void)ctx; /* the turn's end looks */
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    struct client_link *l = ctx;
    (void)last_id, (void)code;
    l->draining = true;
}

static void on_pong(void *ctx)
{
    ((struct client_link *)ctx)->pinged = NS_NEVER;
}

static void on_weary(void *ctx)
{
    ((struct client_link *)ctx)->draining = true;
}

static const struct session_ops session_ops = {
    .on_headers = on_headers,
    .on_trailers = on_trailers,
    .on_data = on_data,
    .on_reset = on_reset,
    .on_sent = on_sent,
    .on_done = on_done,
    .on_ready = on_ready,
    .on_limit = on_limit,
    .on_goaway = on_goaway,
    .on_pong = on_pong,
    .on_weary = on_weary,
};

static void on_open(void *ctx)
{
    ((struct client_link *)ctx)->open = true;
}

static void on_bytes(void *ctx, const uint8_t *p, size_t n)
{
    struct client_link *l = ctx;
    struct client_env *env = l->client->env;
    if (l->doomed)
        return;
    env->sessions.now = l->touched = loop_now(env->loop);
    if (session_feed(&l->session, p, n) != ERR_NONE)
        client_link_doom(l, l->ready ? CLIENT_END_LOST : CLIENT_END_CONNECT, "does not speak HTTP/2");
    if (l->client->target.secret)
        conn_env_wipe(env->conns, n);
}

static void on_writable(void *ctx)
{
    ((struct client_link *)ctx)->blocked = false;
}

static void connect_next(struct client_link *l);

static void on_conn_end(void *ctx, enum conn_end end, const char *why)
{
    struct client_link *l = ctx;
    conn_close(l->conn, false);
    l->conn = NULL;
    l->open = l->blocked = false;
    if (end == CONN_END_CONNECT && l->addresses_at < l->addresses_n)
        connect_next(l);
    else
        client_link_doom(l, l->ready ? CLIENT_END_LOST : CLIENT_END_CONNECT, why);
}

static const struct conn_ops conn_ops = {
    .on_open = on_open, .on_bytes = on_bytes, .on_writable = on_writable, .on_end = on_conn_end};

static void connect_next(struct client_link *l)
{
    const struct address *a = &l->addresses[l->addresses_at++];
    l->conn = conn_connect(l->client->env->conns, a, l->tls, &l->client->target.expect, &conn_ops, l);
    if (!l->conn)
        client_link_doom(l, CLIENT_END_CONNECT, "no descriptor or memory for a connection");
}

static void on_found(void *ctx, const struct lookup_answer *answer)
{
    struct client_link *l = ctx;
    const struct lookup_part *v4 = &answer->parts[LOOKUP_V4], *v6 = &answer->parts[LOOKUP_V6];
    for (size_t i = 0; l->addresses_n < CLIENT_ADDRESSES_MAX && (i < v4->n || i < v6->n); i++) {
        if (i < v4->n)
            l->addresses[l->addresses_n++] = v4->v[i];
        if (i < v6->n && l->addresses_n < CLIENT_ADDRESSES_MAX)
            l->addresses[l->addresses_n++] = v6->v[i];
    }
    enum lookup_status status = v4->status > v6->status ? v4->status : v6->status;
    lookup_free(l->lookup);
    l->lookup = NULL;
    if (l->addresses_n > 0)
        connect_next(l);
    else
        client_link_doom(l, CLIENT_END_CONNECT, lookup_status_text(status));
}

/* Asks a silent peer whether it is there, and gives up on one that does not say so. */
static void keep_alive(struct client_link *l, ns_t now)
{
    if (l->client->target.address.kind == ADDRESS_UNIX) { /* the kernel tells when the peer is gone */
        arm(l, ns_add(now, CLIENT_IDLE_NS));
    } else if (l->pinged != NS_NEVER && l->touched < l->pinged) {
        client_link_doom(l, CLIENT_END_LOST, "no answer to a ping");
    } else if (now >= ns_add(l->touched, CLIENT_PING_NS)) {
        session_ping(&l->session);
        l->pinged = now;
        arm(l, ns_add(now, CLIENT_PONG_NS));
    } else {
        l->pinged = NS_NEVER;
        arm(l, ns_add(l->touched, CLIENT_PING_NS));
    }
}

static void on_timer(void *ctx)
{
    struct client_link *l = ctx;
    ns_t now = loop_now(l->client->env->loop);
    if (!l->ready)
        client_link_doom(l, CLIENT_END_CONNECT, l->open ? "no HTTP/2 SETTINGS in time" : "no connection in time");
    else if (l->session.streams > 0)
        keep_alive(l, now);
    else if (now >= ns_add(l->touched, CLIENT_IDLE_NS))
        client_link_doom(l, CLIENT_END_LOST, "idle");
    else
        arm(l, ns_add(l->touched, CLIENT_IDLE_NS));
}

void client_link_new(struct client *c)
{
    struct client_link *l = must_have(calloc(1, sizeof *l));
    struct client_env *env = c->env;
    l->timer = must_have(loop_timer_new(env->loop, on_timer, l));
    l->client = c;
    l->pinged = NS_NEVER;
    l->tls = c->target.tls ? tls_context_ref(c->target.tls) : NULL;
    list_init(&l->requests);
    list_push_back(&c->links, &l->node);
    env->sessions.now = loop_now(env->loop);
    session_init(&l->session, &env->sessions, false, 0, &session_ops, l);
    arm(l, ns_add(loop_now(env->loop), CLIENT_CONNECT_NS));
    if (c->target.address.kind != ADDRESS_NAME) {
        l->addresses[l->addresses_n++] = c->target.address;
        connect_next(l);
    } else if (!(l->lookup = lookup_new(env->loop, &c->target.address, on_found, l))) {
        client_link_doom(l, CLIENT_END_CONNECT, "no descriptor or memory for a look-up");
    }
}

static void send_request(struct client_link *l, struct client_request *r)
{
    size_t sent;
    if (l->session.streams == 0) {
        l->touched = loop_now(l->client->env->loop);
        arm(l, ns_add(l->touched, CLIENT_PING_NS));
    }
    enum err e = stream_open(&l->session, &r->stream, r->fields, r->fields_n, !r->body.p);
    r->link = l;
    list_remove(&r->node);
    list_push_back(&l->requests, &r->node);
    if (e == ERR_NONE && r->body.p)
        e = stream_send(&r->stream, (const uint8_t *)r->body.p, r->body.n, true, &sent);
    if (e != ERR_NONE)
        client_finish(r, CLIENT_END_LIMIT, NULL, "out of memory");
}

static bool has_work(const struct client_link *l)
{
    return l->ready && !l->draining && session_room(&l->session) > 0 && !list_is_empty(&l->client->waiting);
}

void client_link_run(struct client_link *l)
{
    while (!l->doomed && has_work(l))
        send_request(l, CONTAINER_OF(l->client->waiting.next, struct client_request, node));
    if (l->open && !l->blocked && l->conn) {
        session_pump(&l->session);
        size_t before = buf_len(&l->session.out);
        if (before > 0) {
            l->blocked = !conn_write(l->conn, &l->session.out);
            session_on_flushed(&l->session, before);
        }
        if (!l->blocked && session_wants_flush(&l->session))
            client_kick(l->client->env);
    }
    if (l->draining && l->session.streams == 0)
        client_link_doom(l, CLIENT_END_LOST, "said goodbye");
}

void client_link_close(struct client_link *l)
{
    struct list *waiting = &l->client->waiting;
    struct list told;
    list_init(&told);
    session_abandon(&l->session);
    conn_close(l->conn, false);
    l->conn = NULL;
    session_fini(&l->session);
    arm(l, NS_NEVER);
    list_remove(&l->node);
    list_push_back(&l->client->env->dead_links, &l->node);
    if (l->ready || l->draining)
        return;
    list_splice(&told, waiting); /* nobody could be reached for them */
    while (!list_is_empty(&told))
        client_finish(CONTAINER_OF(told.next, struct client_request, node), l->end, NULL, l->why);
}
