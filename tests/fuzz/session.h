/* One end of a connection for the fuzz targets of the session: an echo server, or a client that collects, over a few
 * streams. Breaks when an end is told twice, or bytes come after it. */
#ifndef TESTS_FUZZ_SESSION_H
#define TESTS_FUZZ_SESSION_H

#include "h2/grpc.h"
#include "h2/session.h"

#include <stdlib.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { END_STREAMS = 64 };

struct end_stream {
    struct stream stream;
    struct header trailers[1];
    bool told, ended, over, answered;
};

struct end {
    struct worker_stats stats;
    struct session_env env;
    struct session session;
    struct end_stream streams[END_STREAMS];
    size_t used;
    struct slice wordy; /* more for each block that we send; empty: nothing */
    ns_t tick;          /* from one piece to the next */
    bool failed;
    bool unread; /* the peer takes half of what we have for it */
};

static inline struct end_stream *end_of(struct stream *s)
{
    return (struct end_stream *)(void *)s;
}

static struct stream *end_on_request(void *ctx)
{
    struct end *e = ctx;
    return e->used < END_STREAMS ? &e->streams[e->used++].stream : NULL;
}

static void end_answer(struct end_stream *x)
{
    if (x->answered || !stream_is_open(&x->stream) || !x->stream.session->server || !stream_has_responded(&x->stream))
        return;
    x->answered = true;
    x->trailers[0] = header_make(TOKEN_GRPC_STATUS, SLICE("0"));
    CHECK(stream_send_trailers(&x->stream, x->trailers, 1) == ERR_NONE);
}

static void end_on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    struct end_stream *x = end_of(s);
    struct end *e = s->session ? s->session->ctx : NULL;
    struct header v[] = {header_make(TOKEN_STATUS, SLICE("200")),
                         header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc")),
                         header_make(TOKEN_GRPC_MESSAGE, e ? e->wordy : SLICE(""))};
    CHECK(!x->told && !x->over && h->n <= HEADERS_FIELDS_MAX);
    x->told = true;
    x->ended = end;
    if (!stream_is_open(s) || !s->session->server)
        return;
    (void)grpc_judge_request(h);
    if (oversize)
        stream_reset(s, 0xb);
    else
        CHECK(stream_respond(s, v, e->wordy.n > 0 ? 3 : 2, false) == ERR_NONE);
    if (end)
        end_answer(x);
}

static void end_on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    struct end_stream *x = end_of(s);
    (void)h, (void)oversize;
    CHECK(x->told && !x->ended && !x->over);
    x->ended = true;
    end_answer(x);
}

static void end_on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    struct end_stream *x = end_of(s);
    size_t sent = 0;
    CHECK(x->told && !x->ended && !x->over);
    x->ended = end;
    if (stream_is_open(s) && s->session->server && stream_has_responded(s) && !stream_is_ending(s))
        CHECK(stream_send(s, p, n, false, &sent) == ERR_NONE);
    else
        sent = n;
    stream_consume(s, sent);
    if (end)
        end_answer(x);
}

static void end_on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    (void)code, (void)how;
    CHECK(!end_of(s)->over && !stream_is_open(s));
    end_of(s)->over = true;
}

static void end_on_sent(struct stream *s, size_t n)
{
    stream_consume(s, n);
}

static void end_on_done(struct stream *s)
{
    CHECK(!stream_is_open(s));
    end_of(s)->over = true;
}

static void end_ignore(void *ctx)
{
    (void)ctx;
}

static void end_on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    (void)ctx, (void)last_id, (void)code;
}

static const struct session_ops end_ops = {.on_request = end_on_request,
                                           .on_headers = end_on_headers,
                                           .on_trailers = end_on_trailers,
                                           .on_data = end_on_data,
                                           .on_reset = end_on_reset,
                                           .on_sent = end_on_sent,
                                           .on_done = end_on_done,
                                           .on_ready = end_ignore,
                                           .on_limit = end_ignore,
                                           .on_goaway = end_on_goaway,
                                           .on_pong = end_ignore,
                                           .on_weary = end_ignore};

/* `bounds` must outlive it. */
static inline struct end *end_new_within(bool server, const struct bounds *bounds, uint32_t streams_max)
{
    struct end *e = calloc(1, sizeof *e);
    CHECK(e);
    e->tick = NS_PER_MS;
    session_env_init(&e->env, &e->stats);
    e->env.bounds = bounds;
    session_init(&e->session, &e->env, server, streams_max, &end_ops, e);
    for (size_t i = 0; i < END_STREAMS; i++)
        stream_init(&e->streams[i].stream);
    return e;
}

static inline struct end *end_new(bool server)
{
    return end_new_within(server, &bounds_default, 100);
}

/* Takes the output away, as a flush does. */
static inline void end_flush(struct end *e)
{
    session_pump(&e->session);
    size_t before = buf_len(&e->session.out);
    buf_consume(&e->session.out, e->unread ? before / 2 : before);
    if (before > 0)
        session_on_flushed(&e->session, before);
}

/* Feeds the bytes in runs whose lengths `step` tells, a tick apart; stops at the first error. */
static inline void end_feed(struct end *e, const uint8_t *p, size_t n, size_t step)
{
    while (n > 0 && !e->failed) {
        size_t run = step && step < n ? step : n;
        uint8_t *exact = malloc(run); /* so that a sanitizer sees a read past the end */
        CHECK(exact);
        memcpy(exact, p, run);
        e->env.now += e->tick;
        e->failed = session_feed(&e->session, exact, run) != ERR_NONE || session_check_time(&e->session) != ERR_NONE;
        free(exact);
        end_flush(e);
        p += run;
        n -= run;
    }
}

static inline void end_free(struct end *e)
{
    session_abandon(&e->session);
    for (size_t i = 0; i < END_STREAMS; i++)
        CHECK(!stream_is_open(&e->streams[i].stream));
    session_fini(&e->session);
    session_env_fini(&e->env);
    free(e);
}

#endif
