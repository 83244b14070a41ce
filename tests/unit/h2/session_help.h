/* Our side of the tests of the session: a server that echoes, or a client that collects. */
#ifndef TESTS_UNIT_H2_SESSION_HELP_H
#define TESTS_UNIT_H2_SESSION_HELP_H

#include "h2/grpc.h"
#include "h2/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS = 12 };

static struct worker_stats stats;

/* One call of the echo test. Ours: the stream and what it collected. */
struct echo {
    struct stream stream;
    struct buf body;
    struct header trailers[2];
    bool requested, ended, reset, done;
    uint32_t reset_code;
};

/* Our side. */
struct ours {
    struct session_env env;
    struct session session;
    struct echo echoes[CALLS];
    size_t used;
    bool ready, pong, weary, goaway;
};

static struct echo *of_stream(struct stream *s)
{
    return (struct echo *)(void *)s;
}

static struct stream *on_request(void *ctx)
{
    struct ours *o = ctx;
    return o->used < CALLS ? &o->echoes[o->used++].stream : NULL;
}

/* Sends back what has come, as far as windows allow, and gives the window back with what left. */
static void echo_data(struct echo *e, const uint8_t *p, size_t n)
{
    size_t sent = 0;
    assert_int_equal(stream_send(&e->stream, p, n, false, &sent), ERR_NONE);
    stream_consume(&e->stream, sent);
}

static void finish_echo(struct echo *e)
{
    e->trailers[0] = header_make(TOKEN_GRPC_STATUS, SLICE("0"));
    e->trailers[1] = header_make(TOKEN_GRPC_MESSAGE, SLICE("fine"));
    assert_int_equal(stream_send_trailers(&e->stream, e->trailers, 2), ERR_NONE);
}

static void on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    struct echo *e = of_stream(s);
    assert_false(oversize);
    e->requested = true;
    e->ended = end;
    if (!s->session || !s->session->server)
        return;
    assert_non_null(headers_find(h, TOKEN_PATH));
    struct header v[] = {header_make(TOKEN_STATUS, SLICE("200")),
                         header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc"))};
    assert_int_equal(stream_respond(s, v, 2, false), ERR_NONE);
    if (end)
        finish_echo(e);
}

static void on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    assert_false(oversize);
    assert_non_null(headers_find(h, TOKEN_GRPC_STATUS));
    of_stream(s)->ended = true;
}

static void on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    struct echo *e = of_stream(s);
    assert_int_equal(buf_append(&e->body, p, n), ERR_NONE);
    if (s->session && s->session->server) {
        echo_data(e, p, n);
        if (end)
            finish_echo(e);
    } else {
        stream_consume(s, n);
    }
    e->ended |= end;
}

static void on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    struct echo *e = of_stream(s);
    (void)how;
    assert_false(stream_is_open(s));
    e->reset = true;
    e->reset_code = code;
}

static void on_sent(struct stream *s, size_t n)
{
    if (s->session && s->session->server)
        stream_consume(s, n);
}

static void on_done(struct stream *s)
{
    assert_false(stream_is_open(s));
    of_stream(s)->done = true;
}

static void on_ready(void *ctx)
{
    ((struct ours *)ctx)->ready = true;
}

static void on_limit(void *ctx)
{
    (void)ctx;
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    (void)last_id, (void)code;
    ((struct ours *)ctx)->goaway = true;
}

static void on_pong(void *ctx)
{
    ((struct ours *)ctx)->pong = true;
}

static void on_weary(void *ctx)
{
    ((struct ours *)ctx)->weary = true;
}

static const struct session_ops ops = {on_request, on_headers, on_trailers, on_data,   on_reset, on_sent,
                                       on_done,    on_ready,   on_limit,    on_goaway, on_pong,  on_weary};

static struct ours *ours_new(bool server, uint32_t streams_max)
{
    struct ours *o = calloc(1, sizeof *o);
    assert_non_null(o);
    session_env_init(&o->env, &stats);
    session_init(&o->session, &o->env, server, streams_max, &ops, o);
    for (size_t i = 0; i < CALLS; i++)
        stream_init(&o->echoes[i].stream);
    return o;
}

static void ours_free(struct ours *o)
{
    session_abandon(&o->session);
    for (size_t i = 0; i < CALLS; i++)
        buf_fini(&o->echoes[i].body);
    assert_int_equal(o->env.chunks.live, 0);
    session_fini(&o->session);
    session_env_fini(&o->env);
    free(o);
}

#endif
