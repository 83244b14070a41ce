/* The session against nghttp2 as the other side, on either end, cut at random places. */
#include "base/rng.h"
#include "session_help.h"

#include <nghttp2/nghttp2.h>

enum { BODY_MAX = 200000 };

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(server_echoes_to_nghttp2),
        cmocka_unit_test(client_talks_to_nghttp2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
