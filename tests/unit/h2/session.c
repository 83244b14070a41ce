/* The session against nghttp2 as the other side, cut at random places; and frame by frame where the rules and bounds
 * are. */
#include "h2/session.h"
#include "base/rng.h"
#include "h2/grpc.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CALLS = 12, BODY_MAX = 200000, RAW_MAX = 1 << 20 };

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
    bool ready, pong, goaway;
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

static const struct session_ops ops = {on_request, on_headers, on_trailers, on_data,   on_reset, on_sent,
                                       on_done,    on_ready,   on_limit,    on_goaway, on_pong};

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

/* nghttp2's side. */
struct theirs {
    nghttp2_session *session;
    struct buf bodies[CALLS], sent[CALLS];
    size_t offset[CALLS];
    bool ended[CALLS], status_ok[CALLS];
    int closed;
};

static ssize_t their_read(nghttp2_session *s, int32_t id, uint8_t *to, size_t n, uint32_t *flags,
                          nghttp2_data_source *source, void *user)
{
    struct theirs *t = user;
    size_t i = (size_t)(id - 1) / 2, left = buf_len(&t->sent[i]) - t->offset[i];
    (void)source;
    if (n > left)
        n = left;
    memcpy(to, buf_head(&t->sent[i]) + t->offset[i], n);
    t->offset[i] += n;
    if (t->offset[i] < buf_len(&t->sent[i]))
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (nghttp2_session_check_server_session(s)) {
        nghttp2_nv status = {(uint8_t *)"grpc-status", (uint8_t *)"0", 11, 1, 0};
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        assert_int_equal(nghttp2_submit_trailer(s, id, &status, 1), 0);
    }
    return (ssize_t)n;
}

static int their_chunk(nghttp2_session *s, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *user)
{
    struct theirs *t = user;
    (void)s, (void)flags;
    assert_int_equal(buf_append(&t->bodies[(id - 1) / 2], p, n), ERR_NONE);
    return 0;
}

static int their_header(nghttp2_session *s, const nghttp2_frame *f, const uint8_t *name, size_t name_n,
                        const uint8_t *value, size_t value_n, uint8_t flags, void *user)
{
    struct theirs *t = user;
    (void)s, (void)flags;
    if (slice_eq(slice_make(name, name_n), SLICE("grpc-status")))
        t->status_ok[(f->hd.stream_id - 1) / 2] = slice_eq(slice_make(value, value_n), SLICE("0"));
    return 0;
}

static int their_frame(nghttp2_session *s, const nghttp2_frame *f, void *user)
{
    struct theirs *t = user;
    bool ends =
        (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) && (f->hd.flags & NGHTTP2_FLAG_END_STREAM);
    if (!ends || !nghttp2_session_check_server_session(s))
        return 0;
    size_t i = (size_t)(f->hd.stream_id - 1) / 2;
    nghttp2_nv head[] = {{(uint8_t *)":status", (uint8_t *)"200", 7, 3, 0},
                         {(uint8_t *)"content-type", (uint8_t *)"application/grpc", 12, 16, 0}};
    nghttp2_data_provider data = {{0}, their_read};
    assert_int_equal(buf_append(&t->sent[i], buf_head(&t->bodies[i]), buf_len(&t->bodies[i])), ERR_NONE);
    return nghttp2_submit_response(s, f->hd.stream_id, head, 2, &data);
}

static int their_close(nghttp2_session *s, int32_t id, uint32_t code, void *user)
{
    struct theirs *t = user;
    (void)s;
    assert_int_equal(code, 0);
    t->ended[(id - 1) / 2] = true;
    t->closed++;
    return 0;
}

static struct theirs *theirs_new(bool server)
{
    struct theirs *t = calloc(1, sizeof *t);
    nghttp2_session_callbacks *c;
    nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 20000}};
    assert_non_null(t);
    nghttp2_session_callbacks_new(&c);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, their_chunk);
    nghttp2_session_callbacks_set_on_header_callback(c, their_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, their_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, their_close);
    if (server)
        nghttp2_session_server_new(&t->session, c, t);
    else
        nghttp2_session_client_new(&t->session, c, t);
    nghttp2_session_callbacks_del(c);
    nghttp2_submit_settings(t->session, 0, settings, 1);
    return t;
}

static void theirs_free(struct theirs *t)
{
    nghttp2_session_del(t->session);
    for (size_t i = 0; i < CALLS; i++) {
        buf_fini(&t->bodies[i]);
        buf_fini(&t->sent[i]);
    }
    free(t);
}

static size_t random_part(struct rng *r, size_t n)
{
    size_t part = rng_below(r, 4) == 0 ? 1 + rng_below(r, 20) : 1 + rng_below(r, 30000);
    return part < n ? part : n;
}

/* Moves bytes both ways until nothing moves any more. */
static void exchange_bytes(struct ours *o, struct theirs *t, struct rng *r)
{
    struct buf wire = {0};
    for (bool moved = true; moved;) {
        const uint8_t *p;
        ssize_t n;
        moved = false;
        while ((n = nghttp2_session_mem_send(t->session, &p)) > 0)
            assert_int_equal(buf_append(&wire, p, (size_t)n), ERR_NONE);
        while (buf_len(&wire) > 0) {
            size_t part = random_part(r, buf_len(&wire));
            assert_int_equal(session_feed(&o->session, buf_head(&wire), part), ERR_NONE);
            buf_consume(&wire, part);
            moved = true;
        }
        session_pump(&o->session);
        while (buf_len(&o->session.out) > 0) {
            size_t before = buf_len(&o->session.out), part = random_part(r, before);
            assert_int_equal(nghttp2_session_mem_recv(t->session, buf_head(&o->session.out), part), part);
            buf_consume(&o->session.out, part);
            session_on_flushed(&o->session, before);
            moved = true;
        }
    }
    buf_fini(&wire);
}

static void fill_random(struct buf *b, struct rng *r)
{
    size_t n = rng_below(r, 3) == 0 ? rng_below(r, 50) : rng_below(r, BODY_MAX);
    uint8_t *p = buf_reserve(b, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rng_next(r);
    buf_commit(b, n);
}

static void server_echoes_to_nghttp2(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng r = {seed};
        struct ours *o = ours_new(true, 100);
        struct theirs *t = theirs_new(false);
        nghttp2_nv head[] = {{(uint8_t *)":method", (uint8_t *)"POST", 7, 4, 0},
                             {(uint8_t *)":scheme", (uint8_t *)"http", 7, 4, 0},
                             {(uint8_t *)":path", (uint8_t *)"/a.B/C", 5, 6, 0},
                             {(uint8_t *)":authority", (uint8_t *)"x", 10, 1, 0},
                             {(uint8_t *)"te", (uint8_t *)"trailers", 2, 8, 0}};
        nghttp2_data_provider data = {{0}, their_read};
        for (size_t i = 0; i < CALLS; i++) {
            fill_random(&t->sent[i], &r);
            assert_int_equal(nghttp2_submit_request(t->session, NULL, head, 5, &data, NULL), 2 * i + 1);
        }
        exchange_bytes(o, t, &r);
        assert_int_equal(t->closed, CALLS);
        for (size_t i = 0; i < CALLS; i++) {
            assert_true(t->ended[i] && t->status_ok[i]);
            assert_int_equal(buf_len(&t->bodies[i]), buf_len(&t->sent[i]));
            if (buf_len(&t->sent[i]) > 0)
                assert_memory_equal(buf_head(&t->bodies[i]), buf_head(&t->sent[i]), buf_len(&t->sent[i]));
        }
        assert_int_equal(o->session.streams, 0);
        theirs_free(t);
        ours_free(o);
    }
}

static void client_talks_to_nghttp2(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng r = {seed};
        struct ours *o = ours_new(false, 0);
        struct theirs *t = theirs_new(true);
        struct buf bodies[CALLS] = {{0}};
        exchange_bytes(o, t, &r);
        assert_true(o->ready);
        for (size_t i = 0; i < CALLS; i++) {
            struct header v[] = {header_make(TOKEN_METHOD, SLICE("POST")), header_make(TOKEN_SCHEME, SLICE("http")),
                                 header_make(TOKEN_PATH, SLICE("/a.B/C")), header_make(TOKEN_AUTHORITY, SLICE("x"))};
            size_t sent;
            fill_random(&bodies[i], &r);
            assert_int_equal(stream_open(&o->session, &o->echoes[i].stream, v, 4, false), ERR_NONE);
            assert_int_equal(stream_send(&o->echoes[i].stream, buf_head(&bodies[i]), buf_len(&bodies[i]), true, &sent),
                             ERR_NONE);
        }
        exchange_bytes(o, t, &r);
        for (size_t i = 0; i < CALLS; i++) {
            struct echo *e = &o->echoes[i];
            assert_true(e->requested && e->ended && !e->reset && !stream_is_open(&e->stream));
            assert_int_equal(buf_len(&e->body), buf_len(&bodies[i]));
            if (buf_len(&bodies[i]) > 0)
                assert_memory_equal(buf_head(&e->body), buf_head(&bodies[i]), buf_len(&bodies[i]));
            buf_fini(&bodies[i]);
        }
        theirs_free(t);
        ours_free(o);
    }
}

/* Raw input, frame by frame. */
struct raw {
    uint8_t *p;
    size_t n;
};

static void put(struct raw *r, const void *p, size_t n)
{
    assert_true(r->n + n <= RAW_MAX);
    if (n > 0)
        memcpy(r->p + r->n, p, n);
    r->n += n;
}

static void put_frame(struct raw *r, uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t n)
{
    uint8_t head[9] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         type,       flags,
                       (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    put(r, head, sizeof head);
    put(r, payload, n);
}

/* :method POST, :scheme http, :path /, :authority x */
static const uint8_t request_block[] = {0x83, 0x86, 0x84, 0x41, 0x01, 'x'};

static void put_request(struct raw *r, uint32_t id, bool end)
{
    put_frame(r, 1, (uint8_t)(4 | (end ? 1 : 0)), id, request_block, sizeof request_block);
}

static void put_start(struct raw *r)
{
    put(r, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    put_frame(r, 4, 0, 0, NULL, 0);
}

/* The last frame of the given type in the output: its code (first word for RST_STREAM, second for GOAWAY), or -1. */
static int64_t last_code(const struct buf *out, uint8_t type)
{
    const uint8_t *p = buf_head(out), *end = p + buf_len(out);
    int64_t code = -1;
    while (p + 9 <= end) {
        size_t n = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        const uint8_t *at = p + 9 + (type == 7 ? 4 : 0);
        if (p[3] == type)
            code = (int64_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
        p += 9 + n;
    }
    return code;
}

enum { GOAWAY = 7, RST = 3 };

struct rule {
    const char *name;
    uint8_t type, flags;
    uint32_t id;
    const char *payload;
    size_t n;
    int answer; /* GOAWAY, RST, or 0: accepted */
    uint32_t code;
};

/* After a start, stream 1 open (request without end) and stream 3 closed in order. */
static const struct rule rules[] = {
    {"DATA on stream 0", 0, 0, 0, "x", 1, GOAWAY, H2_PROTOCOL_ERROR},
    {"DATA on an idle stream", 0, 0, 9, "x", 1, GOAWAY, H2_PROTOCOL_ERROR},
    {"DATA on a stream the peer ended", 0, 0, 3, "x", 1, GOAWAY, H2_STREAM_CLOSED},
    {"DATA padded beyond its length", 0, 8, 1, "\x05xx", 3, GOAWAY, H2_PROTOCOL_ERROR},
    {"DATA padded to its length", 0, 8, 1, "\x02xx", 3, 0, 0},
    {"HEADERS on stream 0", 1, 4, 0, "\x83", 1, GOAWAY, H2_PROTOCOL_ERROR},
    {"HEADERS on an even stream", 1, 4, 2, "\x83", 1, GOAWAY, H2_PROTOCOL_ERROR},
    {"HEADERS with broken compression", 1, 5, 5, "\xff\xff\xff\xff\xff\xff", 6, GOAWAY, H2_COMPRESSION_ERROR},
    {"HEADERS without :method", 1, 5, 5, "\x86\x84", 2, RST, H2_PROTOCOL_ERROR},
    {"HEADERS again without an end", 1, 4, 1, "", 0, RST, H2_PROTOCOL_ERROR},
    {"PRIORITY on stream 0", 2, 0, 0, "\0\0\0\x01\x10", 5, GOAWAY, H2_PROTOCOL_ERROR},
    {"PRIORITY of 4 bytes", 2, 0, 1, "\0\0\0\x05", 4, RST, H2_FRAME_SIZE_ERROR},
    {"PRIORITY on itself", 2, 0, 1, "\0\0\0\x01\x10", 5, RST, H2_PROTOCOL_ERROR},
    {"RST_STREAM on stream 0", 3, 0, 0, "\0\0\0\x08", 4, GOAWAY, H2_PROTOCOL_ERROR},
    {"RST_STREAM on an idle stream", 3, 0, 9, "\0\0\0\x08", 4, GOAWAY, H2_PROTOCOL_ERROR},
    {"RST_STREAM of 3 bytes", 3, 0, 1, "\0\0\x08", 3, GOAWAY, H2_FRAME_SIZE_ERROR},
    {"SETTINGS on a stream", 4, 0, 1, "", 0, GOAWAY, H2_PROTOCOL_ERROR},
    {"SETTINGS of 5 bytes", 4, 0, 0, "\0\x03\0\0\0", 5, GOAWAY, H2_FRAME_SIZE_ERROR},
    {"SETTINGS ACK with content", 4, 1, 0, "\0\x03\0\0\0\x01", 6, GOAWAY, H2_FRAME_SIZE_ERROR},
    {"ENABLE_PUSH of 2", 4, 0, 0, "\0\x02\0\0\0\x02", 6, GOAWAY, H2_PROTOCOL_ERROR},
    {"initial window of 2^31", 4, 0, 0, "\0\x04\x80\0\0\0", 6, GOAWAY, H2_FLOW_CONTROL_ERROR},
    {"frame size of 16383", 4, 0, 0, "\0\x05\0\0\x3f\xff", 6, GOAWAY, H2_PROTOCOL_ERROR},
    {"frame size of 16384", 4, 0, 0, "\0\x05\0\0\x40\0", 6, 0, 0},
    {"frame size of 2^24", 4, 0, 0, "\0\x05\x01\0\0\0", 6, GOAWAY, H2_PROTOCOL_ERROR},
    {"unknown setting", 4, 0, 0, "\x12\x34\0\0\0\x01", 6, 0, 0},
    {"PUSH_PROMISE", 5, 4, 1, "\0\0\0\x02", 4, GOAWAY, H2_PROTOCOL_ERROR},
    {"PING on a stream", 6, 0, 1, "12345678", 8, GOAWAY, H2_PROTOCOL_ERROR},
    {"PING of 7 bytes", 6, 0, 0, "1234567", 7, GOAWAY, H2_FRAME_SIZE_ERROR},
    {"PING", 6, 0, 0, "12345678", 8, 0, 0},
    {"GOAWAY on a stream", 7, 0, 1, "\0\0\0\0\0\0\0\0", 8, GOAWAY, H2_PROTOCOL_ERROR},
    {"GOAWAY of 7 bytes", 7, 0, 0, "\0\0\0\0\0\0\0", 7, GOAWAY, H2_FRAME_SIZE_ERROR},
    {"WINDOW_UPDATE of 0 on the connection", 8, 0, 0, "\0\0\0\0", 4, GOAWAY, H2_PROTOCOL_ERROR},
    {"WINDOW_UPDATE of 0 on a stream", 8, 0, 1, "\0\0\0\0", 4, RST, H2_PROTOCOL_ERROR},
    {"WINDOW_UPDATE over 2^31-1", 8, 0, 0, "\x7f\xff\xff\xff", 4, GOAWAY, H2_FLOW_CONTROL_ERROR},
    {"WINDOW_UPDATE over 2^31-1 on a stream", 8, 0, 1, "\x7f\xff\xff\xff", 4, RST, H2_FLOW_CONTROL_ERROR},
    {"WINDOW_UPDATE on an idle stream", 8, 0, 9, "\0\0\0\x01", 4, GOAWAY, H2_PROTOCOL_ERROR},
    {"CONTINUATION without HEADERS", 9, 4, 1, "", 0, GOAWAY, H2_PROTOCOL_ERROR},
    {"unknown frame", 0x42, 0xff, 7, "whatever", 8, 0, 0},
};

static void check_rule(const struct rule *rule, size_t cut)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    put_start(&raw);
    put_request(&raw, 1, false);
    put_request(&raw, 3, true);
    assert_int_equal(session_feed(&o->session, raw.p, raw.n), ERR_NONE);
    raw.n = 0;
    buf_clear(&o->session.out);
    put_frame(&raw, rule->type, rule->flags, rule->id, rule->payload, rule->n);
    enum err e = ERR_NONE;
    for (size_t at = 0; at < raw.n && e == ERR_NONE; at += cut)
        e = session_feed(&o->session, raw.p + at, raw.n - at < cut ? raw.n - at : cut);
    int64_t goaway = last_code(&o->session.out, GOAWAY), rst = last_code(&o->session.out, RST);
    if ((e != ERR_NONE) != (rule->answer == GOAWAY) || (rule->answer == GOAWAY && goaway != rule->code) ||
        (rule->answer == RST && rst != rule->code) || (rule->answer == 0 && (goaway >= 0 || rst >= 0)))
        fail_msg("%s, cut at %zu: error %d, goaway %lld, rst %lld", rule->name, cut, e, (long long)goaway,
                 (long long)rst);
    ours_free(o);
    free(raw.p);
}

static void frames_follow_the_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        check_rule(&rules[i], 1);
        check_rule(&rules[i], 100000);
    }
}

static enum err feed(struct ours *o, struct raw *raw)
{
    enum err e = session_feed(&o->session, raw->p, raw->n);
    raw->n = 0;
    return e;
}

static void first_bytes_must_be_the_preface(void **state)
{
    struct ours *o = ours_new(true, 100);
    (void)state;
    assert_int_equal(session_feed(&o->session, (const uint8_t *)"GET / HTTP/1.1\r\n", 16), ERR_INVALID);
    ours_free(o);
    o = ours_new(true, 100);
    struct raw raw = {malloc(RAW_MAX), 0};
    put(&raw, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    put_frame(&raw, 6, 0, 0, "12345678", 8);
    assert_int_equal(feed(o, &raw), ERR_PROTOCOL); /* not SETTINGS first */
    ours_free(o);
    free(raw.p);
}

static void a_frame_of_16384_bytes_is_the_largest(void **state)
{
    (void)state;
    for (size_t n = 16384; n <= 16385; n++) {
        struct raw raw = {malloc(RAW_MAX), 0};
        struct ours *o = ours_new(true, 100);
        char *payload = calloc(1, n);
        put_start(&raw);
        put_frame(&raw, 0x55, 0, 0, payload, n);
        assert_int_equal(feed(o, &raw), n == 16384 ? ERR_NONE : ERR_PROTOCOL);
        if (n > 16384)
            assert_int_equal(last_code(&o->session.out, GOAWAY), H2_FRAME_SIZE_ERROR);
        free(payload);
        ours_free(o);
        free(raw.p);
    }
}

static void streams_over_the_limit_are_refused(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 4);
    (void)state;
    put_start(&raw);
    for (uint32_t i = 0; i < 4; i++)
        put_request(&raw, 2 * i + 1, false);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(last_code(&o->session.out, RST), -1);
    put_request(&raw, 9, false);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(last_code(&o->session.out, RST), H2_REFUSED_STREAM);
    assert_int_equal(o->session.streams, 4);
    ours_free(o);
    free(raw.p);
}

/* The bucket of premature resets holds 500; within one instant the 501st ends the connection. */
static void premature_resets_are_bounded(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    uint64_t before = counter_get(&stats.bound_premature_resets);
    (void)state;
    put_start(&raw);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    for (uint32_t i = 0; i <= SESSION_RESETS_BURST; i++) {
        o->used = 0;
        put_request(&raw, 2 * i + 1, false);
        assert_int_equal(feed(o, &raw), ERR_NONE);
        o->echoes[0].stream.flags &= (uint8_t)~1; /* as if not answered yet */
        put_frame(&raw, 3, 0, 2 * i + 1, "\0\0\0\x08", 4);
        buf_clear(&o->session.out);
        o->session.control_queued = 0;
        assert_int_equal(feed(o, &raw), i < SESSION_RESETS_BURST ? ERR_NONE : ERR_LIMIT);
    }
    assert_int_equal(last_code(&o->session.out, GOAWAY), H2_ENHANCE_YOUR_CALM);
    assert_int_equal(counter_get(&stats.bound_premature_resets), before + 1);
    ours_free(o);
    free(raw.p);
}

static void a_peer_that_does_not_read_is_bounded(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    (void)state;
    put_start(&raw);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    uint32_t queued = o->session.control_queued;
    for (uint32_t i = queued; i < SESSION_CONTROL_MAX; i++)
        put_frame(&raw, 6, 0, 0, "12345678", 8);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    put_frame(&raw, 6, 0, 0, "12345678", 8);
    assert_int_equal(feed(o, &raw), ERR_LIMIT);
    ours_free(o);
    free(raw.p);
}

static void empty_frames_are_bounded(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    (void)state;
    put_start(&raw);
    put_request(&raw, 1, false);
    for (int i = 0; i < 10; i++)
        put_frame(&raw, 0, 0, 1, "", 0);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    put_frame(&raw, 0, 0, 1, "", 0);
    assert_int_equal(feed(o, &raw), ERR_LIMIT);
    ours_free(o);
    free(raw.p);
}

static void glitches_are_bounded(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    (void)state;
    put_start(&raw);
    for (int i = 0; i < SESSION_GLITCHES_BURST; i++)
        put_frame(&raw, 0x77, 0, 0, "", 0);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    put_frame(&raw, 0x77, 0, 0, "", 0);
    assert_int_equal(feed(o, &raw), ERR_LIMIT);
    ours_free(o);
    free(raw.p);
}

/* HEADERS followed by n CONTINUATION frames of one byte each; the block is a request with a padded field. */
static enum err feed_continuations(struct ours *o, size_t n)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    char block[512];
    size_t size = sizeof request_block;
    memcpy(block, request_block, size);
    size_t value = n - 4; /* literal without indexing: 0x00, name length, 'a', value length, value */
    block[size++] = 0x00;
    block[size++] = 0x01;
    block[size++] = 'a';
    block[size++] = (char)value;
    memset(block + size, 'v', value);
    size += value;
    put_start(&raw);
    put_frame(&raw, 1, 1, 1, block, sizeof request_block);
    for (size_t i = 0; i < n; i++)
        put_frame(&raw, 9, i + 1 == n ? 4 : 0, 1, block + sizeof request_block + i, 1);
    enum err e = ERR_NONE;
    for (size_t at = 0; at < raw.n && e == ERR_NONE; at++)
        e = session_feed(&o->session, raw.p + at, 1);
    free(raw.p);
    return e;
}

static void continuations_are_bounded_by_frames_not_reads(void **state)
{
    (void)state;
    for (size_t n = SESSION_CONTINUATIONS_MAX; n <= SESSION_CONTINUATIONS_MAX + 1; n++) {
        struct ours *o = ours_new(true, 100);
        assert_int_equal(feed_continuations(o, n), n <= SESSION_CONTINUATIONS_MAX ? ERR_NONE : ERR_LIMIT);
        assert_int_equal(o->used, n <= SESSION_CONTINUATIONS_MAX ? 1 : 0);
        ours_free(o);
    }
}

/* A peer may send 65,535 bytes ahead on a stream, not one more. */
static void the_stream_window_is_kept(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    char *data = calloc(1, 16384);
    struct ours *o = ours_new(true, 100);
    (void)state;
    put_start(&raw);
    put_frame(&raw, 4, 0, 0, "\0\x04\0\0\0\0", 6); /* nothing can be echoed */
    put_request(&raw, 1, false);
    for (int i = 0; i < 3; i++)
        put_frame(&raw, 0, 0, 1, data, 16384);
    put_frame(&raw, 0, 0, 1, data, 16383);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(last_code(&o->session.out, RST), -1);
    assert_int_equal(o->echoes[0].stream.pending.bytes, SESSION_STREAM_WINDOW);
    put_frame(&raw, 0, 0, 1, data, 1);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(last_code(&o->session.out, RST), H2_FLOW_CONTROL_ERROR);
    ours_free(o);
    free(data);
    free(raw.p);
}

static void drain_promises_the_true_last_id(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(true, 100);
    (void)state;
    put_start(&raw);
    put_request(&raw, 1, false);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    session_announce_drain(&o->session);
    put_request(&raw, 3, false); /* still served: sent before the peer could know */
    put_frame(&raw, 6, 1, 0, "outriggr", 8);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_true(o->pong);
    session_finish_drain(&o->session);
    assert_int_equal(o->session.final_id, 3);
    assert_int_equal(last_code(&o->session.out, GOAWAY), H2_NO_ERROR);
    put_request(&raw, 5, false); /* above the promise: not served, and not an error */
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(o->used, 2);
    ours_free(o);
    free(raw.p);
}

static void goaway_gives_back_what_it_excludes(void **state)
{
    struct raw raw = {malloc(RAW_MAX), 0};
    struct ours *o = ours_new(false, 0);
    struct header v[] = {header_make(TOKEN_METHOD, SLICE("POST")), header_make(TOKEN_SCHEME, SLICE("http")),
                         header_make(TOKEN_PATH, SLICE("/a.B/C")), header_make(TOKEN_AUTHORITY, SLICE("x"))};
    (void)state;
    assert_int_equal(session_room(&o->session), 0);
    put_frame(&raw, 4, 0, 0, "\0\x03\0\0\0\x02", 6);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_int_equal(session_room(&o->session), 2);
    assert_int_equal(stream_open(&o->session, &o->echoes[0].stream, v, 4, true), ERR_NONE);
    assert_int_equal(stream_open(&o->session, &o->echoes[1].stream, v, 4, true), ERR_NONE);
    assert_int_equal(session_room(&o->session), 0);
    put_frame(&raw, 7, 0, 0, "\0\0\0\x01\0\0\0\0", 8);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    assert_true(o->goaway && stream_is_open(&o->echoes[0].stream) && !stream_is_open(&o->echoes[1].stream));
    assert_int_equal(o->echoes[1].reset_code, H2_REFUSED_STREAM);
    assert_int_equal(session_room(&o->session), 0);
    ours_free(o);
    free(raw.p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_echoes_to_nghttp2),
        cmocka_unit_test(client_talks_to_nghttp2),
        cmocka_unit_test(frames_follow_the_rules),
        cmocka_unit_test(first_bytes_must_be_the_preface),
        cmocka_unit_test(a_frame_of_16384_bytes_is_the_largest),
        cmocka_unit_test(streams_over_the_limit_are_refused),
        cmocka_unit_test(premature_resets_are_bounded),
        cmocka_unit_test(a_peer_that_does_not_read_is_bounded),
        cmocka_unit_test(empty_frames_are_bounded),
        cmocka_unit_test(glitches_are_bounded),
        cmocka_unit_test(continuations_are_bounded_by_frames_not_reads),
        cmocka_unit_test(the_stream_window_is_kept),
        cmocka_unit_test(drain_promises_the_true_last_id),
        cmocka_unit_test(goaway_gives_back_what_it_excludes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
