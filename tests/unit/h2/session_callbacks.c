/* Ending things inside callbacks: each callback of a session resets its stream, resets all streams, says GOAWAY, drains
 * or abandons the session, while more input is behind what it is called for. Under ASan. And the advisories about
 * nghttp2's callbacks and streams, each by its name. */
#include "h2/grpc.h"
#include "h2/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STREAMS = 8, INPUT_MAX = 1 << 16 };

enum callback { REQUEST, HEADERS, TRAILERS, DATA, RESET, SENT, DONE, READY, LIMIT, GOAWAY, PONG, WEARY, PLACES };

enum act_kind { NOTHING, RESET_ONE, RESET_ALL, SAY_GOAWAY, DRAIN, FINISH_DRAIN, ABANDON, DEEDS };

static struct worker_stats stats;

/* Our side: does `deed` whenever it is called at `place`. */
struct actor {
    struct session_env env;
    struct session session;
    struct stream
        *streams[STREAMS]; /* each an allocation of its own, so that ASan sees who looks at it when it is gone */
    bool given[STREAMS];
    struct header trailer;
    enum callback place;
    enum act_kind deed;
    int times[PLACES];
    bool abandoned;
    int late; /* calls about a stream after all were abandoned */
};

static struct actor *actor; /* of the running case */

/* The owner lets go of what is over, at once: nobody may look at it any more. */
static void let_go(struct stream *st)
{
    for (int i = 0; i < STREAMS; i++) {
        if (actor->streams[i] == st) {
            assert_false(stream_is_open(st));
            stream_drop_pending(st);
            free(st);
            actor->streams[i] = NULL;
        }
    }
}

static bool is_kept(const struct stream *st)
{
    bool kept = false;
    for (int i = 0; i < STREAMS; i++)
        kept |= actor->streams[i] == st;
    return kept;
}

static void reset_all(void)
{
    for (int i = 0; i < STREAMS; i++)
        if (actor->streams[i])
            stream_reset(actor->streams[i], H2_CANCEL);
}

static void act(enum callback place, struct stream *st)
{
    actor->times[place]++;
    actor->late += actor->abandoned && st && place != RESET && place != DONE; /* what was done before is told */
    if (place != actor->place)
        return;
    switch (actor->deed) {
    case NOTHING:
    case DEEDS:
        break;
    case RESET_ONE:
        if (st)
            stream_reset(st, H2_CANCEL);
        break;
    case RESET_ALL:
        reset_all();
        break;
    case SAY_GOAWAY:
        session_goaway(&actor->session, H2_NO_ERROR, "enough");
        break;
    case DRAIN:
        session_announce_drain(&actor->session);
        break;
    case FINISH_DRAIN:
        session_finish_drain(&actor->session);
        break;
    case ABANDON:
        actor->abandoned = true;
        session_abandon(&actor->session);
        break;
    }
}

static struct stream *new_stream(void)
{
    for (int i = 0; i < STREAMS; i++) {
        if (!actor->given[i]) {
            actor->given[i] = true;
            actor->streams[i] = malloc(sizeof(struct stream));
            stream_init(actor->streams[i]);
            return actor->streams[i];
        }
    }
    return NULL;
}

static struct stream *on_request(void *ctx)
{
    assert_ptr_equal(ctx, actor);
    act(REQUEST, NULL);
    return new_stream();
}

static void answer(struct stream *st, bool end)
{
    struct header v[] = {header_make(TOKEN_STATUS, SLICE("200")),
                         header_make(TOKEN_CONTENT_TYPE, SLICE("application/grpc"))};
    if (stream_is_open(st) && st->session->server && !stream_has_responded(st))
        assert_int_equal(stream_respond(st, v, 2, end), ERR_NONE);
}

static void on_headers(struct stream *s, const struct headers *h, bool end, bool oversize)
{
    (void)h, (void)end, (void)oversize;
    act(HEADERS, s);
    if (is_kept(s))
        answer(s, false);
}

static void on_trailers(struct stream *s, const struct headers *h, bool oversize)
{
    (void)h, (void)oversize;
    act(TRAILERS, s);
}

static void on_data(struct stream *s, const uint8_t *p, size_t n, bool end)
{
    size_t sent;
    act(DATA, s);
    if (!is_kept(s))
        return;
    stream_consume(s, n);
    if (stream_is_open(s) && s->session->server && !stream_is_ending(s))
        assert_int_equal(stream_send(s, p, n, end, &sent), ERR_NONE);
}

static void on_reset(struct stream *s, uint32_t code, enum session_reset how)
{
    (void)code, (void)how;
    assert_false(stream_is_open(s));
    act(RESET, s);
    let_go(s);
}

static void on_sent(struct stream *s, size_t n)
{
    assert_int_not_equal(n, 0);
    act(SENT, s);
}

static void on_done(struct stream *s)
{
    assert_false(stream_is_open(s));
    act(DONE, s);
}

static void on_ready(void *ctx)
{
    assert_ptr_equal(ctx, actor);
    act(READY, NULL);
}

static void on_limit(void *ctx)
{
    assert_ptr_equal(ctx, actor);
    act(LIMIT, NULL);
}

static void on_goaway(void *ctx, uint32_t last_id, uint32_t code)
{
    (void)last_id, (void)code;
    assert_ptr_equal(ctx, actor);
    act(GOAWAY, NULL);
}

static void on_pong(void *ctx)
{
    assert_ptr_equal(ctx, actor);
    act(PONG, NULL);
}

static void on_weary(void *ctx)
{
    assert_ptr_equal(ctx, actor);
    act(WEARY, NULL);
}

static const struct session_ops ops = {on_request, on_headers, on_trailers, on_data,   on_reset, on_sent,
                                       on_done,    on_ready,   on_limit,    on_goaway, on_pong,  on_weary};

static void begin(bool server, enum callback place, enum act_kind deed)
{
    actor = calloc(1, sizeof *actor);
    assert_non_null(actor);
    actor->place = place;
    actor->deed = deed;
    session_env_init(&actor->env, &stats);
    session_init(&actor->session, &actor->env, server, 100, &ops, actor);
}

/* Nothing is open, kept or leaked. */
static void finish(void)
{
    session_pump(&actor->session);
    actor->place = PLACES;
    session_abandon(&actor->session);
    assert_int_equal(actor->session.streams, 0);
    assert_int_equal(actor->late, 0);
    for (int i = 0; i < STREAMS; i++)
        if (actor->streams[i])
            let_go(actor->streams[i]);
    assert_int_equal(actor->env.chunks.live, 0);
    session_fini(&actor->session);
    session_env_fini(&actor->env);
    free(actor);
    actor = NULL;
}

struct input {
    uint8_t p[INPUT_MAX];
    size_t n;
};

static void put(struct input *in, const void *p, size_t n)
{
    assert_true(in->n + n <= INPUT_MAX);
    memcpy(in->p + in->n, p, n);
    in->n += n;
}

static void frame(struct input *in, uint8_t type, uint8_t flags, uint32_t id, const char *payload, size_t n)
{
    uint8_t head[9] = {(uint8_t)(n >> 16),  (uint8_t)(n >> 8),   (uint8_t)n,         type,       flags,
                       (uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    put(in, head, sizeof head);
    if (n > 0)
        put(in, payload, n);
}

enum {
    DATA_FRAME,
    HEADERS_FRAME,
    PRIORITY_FRAME,
    RST_FRAME,
    SETTINGS_FRAME,
    PING_FRAME = 6,
    GOAWAY_FRAME,
    WINDOW_FRAME
};

enum { END = 1, ACK = 1, WHOLE = 4 };

static const char request[] = "\x83\x86\x84\x41\x01x"; /* POST http / x */
static const char response[] = "\x88";                 /* :status 200 */
static const char field[] = "\x40\x01t\x01v";          /* t: v, a trailer */

#define HEADERS_OF(in, flags, id, block) frame(in, HEADERS_FRAME, WHOLE | (flags), id, block, sizeof block - 1)

/* What a caller sends so that every callback of a server comes about, with frames for all streams behind each. */
static void caller_input(struct input *in)
{
    in->n = 0;
    put(in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(in, SETTINGS_FRAME, 0, 0, "\0\x04\0\0\0\x02", 6); /* a window of 2: answers wait, and on_sent comes later */
    frame(in, SETTINGS_FRAME, ACK, 0, NULL, 0);
    HEADERS_OF(in, 0, 1, request);
    HEADERS_OF(in, 0, 3, request);
    HEADERS_OF(in, END, 5, request);
    HEADERS_OF(in, 0, 7, request);
    frame(in, DATA_FRAME, 0, 1, "12345678", 8);
    frame(in, DATA_FRAME, 0, 3, "12345678", 8);
    frame(in, DATA_FRAME, END, 1, "12345678", 8);
    HEADERS_OF(in, END, 3, field);
    frame(in, WINDOW_FRAME, 0, 1, "\0\0\0\x64", 4);
    frame(in, WINDOW_FRAME, 0, 3, "\0\0\0\x64", 4);
    frame(in, PING_FRAME, ACK, 0, "12345678", 8);
    frame(in, RST_FRAME, 0, 7, "\0\0\0\x08", 4);
    for (int i = 0; i < 760; i++) /* glitches, until the session is weary */
        frame(in, SETTINGS_FRAME, ACK, 0, NULL, 0);
    HEADERS_OF(in, END, 9, request);
    frame(in, WINDOW_FRAME, 0, 5, "\0\0\0\0", 4); /* a stream error */
    frame(in, GOAWAY_FRAME, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    frame(in, PING_FRAME, 0, 0, "12345678", 8);
}

static void endpoint_input(struct input *in)
{
    in->n = 0;
    frame(in, SETTINGS_FRAME, 0, 0, "\0\x03\0\0\0\x05\0\x04\0\0\0\x02", 12);
    frame(in, SETTINGS_FRAME, ACK, 0, NULL, 0);
    HEADERS_OF(in, 0, 1, response);
    HEADERS_OF(in, 0, 3, response);
    frame(in, DATA_FRAME, 0, 1, "12345678", 8);
    frame(in, DATA_FRAME, 0, 3, "12345678", 8);
    HEADERS_OF(in, END, 1, field);
    frame(in, WINDOW_FRAME, 0, 3, "\0\0\0\x64", 4);
    frame(in, WINDOW_FRAME, 0, 5, "\0\0\0\x64", 4);
    frame(in, PING_FRAME, ACK, 0, "12345678", 8);
    frame(in, SETTINGS_FRAME, 0, 0, "\0\x03\0\0\0\x09", 6);
    frame(in, RST_FRAME, 0, 3, "\0\0\0\x07", 4);
    for (int i = 0; i < 760; i++)
        frame(in, SETTINGS_FRAME, ACK, 0, NULL, 0);
    frame(in, GOAWAY_FRAME, 0, 0, "\0\0\0\x05\0\0\0\0", 8); /* 7 is above it */
    HEADERS_OF(in, END, 5, response);
    frame(in, GOAWAY_FRAME, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    frame(in, PING_FRAME, 0, 0, "12345678", 8);
}

/* Feeds parts of `cut` bytes and pumps behind each, as a connection does. */
static void feed(const struct input *in, size_t cut)
{
    for (size_t at = 0; at < in->n; at += cut) {
        if (session_feed(&actor->session, in->p + at, in->n - at < cut ? in->n - at : cut) != ERR_NONE)
            return;
        session_pump(&actor->session);
    }
}

static void open_calls(void)
{
    struct header v[] = {header_make(TOKEN_METHOD, SLICE("POST")), header_make(TOKEN_SCHEME, SLICE("http")),
                         header_make(TOKEN_PATH, SLICE("/a.B/C")), header_make(TOKEN_AUTHORITY, SLICE("x"))};
    actor->trailer = header_make(TOKEN_GRPC_STATUS, SLICE("0"));
    for (int i = 0; i < 4; i++) {
        struct stream *st = new_stream();
        size_t sent;
        assert_int_equal(stream_open(&actor->session, st, v, 4, false), ERR_NONE);
        assert_int_equal(stream_send(st, (const uint8_t *)"a message", 9, i == 2, &sent), ERR_NONE);
    }
}

/* The endpoint's SETTINGS must be in before calls can be opened: they come first, and again with what comes behind. */
static void play(bool server, enum callback place, enum act_kind deed, size_t cut, int *ret_times)
{
    static struct input in;
    begin(server, place, deed);
    if (server) {
        caller_input(&in);
    } else {
        endpoint_input(&in);
        actor->session.settings_seen = true; /* as if calls had waited for nothing; on_ready comes all the same */
        actor->session.peer_streams_max = 100;
        actor->session.peer_initial_window = 4;
        open_calls();
        actor->session.settings_seen = false;
    }
    session_ping(&actor->session);
    feed(&in, cut);
    if (ret_times)
        memcpy(ret_times, actor->times, sizeof actor->times);
    finish();
}

static void every_callback_comes_about(void **state)
{
    (void)state;
    int server[PLACES], client[PLACES];
    play(true, PLACES, NOTHING, 16, server);
    play(false, PLACES, NOTHING, 16, client);
    static const enum callback of_server[] = {REQUEST, HEADERS, TRAILERS, DATA, RESET, SENT, DONE, PONG, WEARY};
    static const enum callback of_client[] = {HEADERS, TRAILERS, DATA, RESET, SENT, READY, LIMIT, GOAWAY, PONG, WEARY};
    for (size_t i = 0; i < sizeof of_server / sizeof of_server[0]; i++)
        if (server[of_server[i]] == 0)
            fail_msg("server: callback %d was never called", of_server[i]);
    for (size_t i = 0; i < sizeof of_client / sizeof of_client[0]; i++)
        if (client[of_client[i]] == 0)
            fail_msg("client: callback %d was never called", of_client[i]);
}

static void every_deed_in_every_callback(void **state)
{
    (void)state;
    static const size_t cuts[] = {1, 7, INPUT_MAX};
    for (int server = 0; server <= 1; server++)
        for (int place = 0; place < PLACES; place++)
            for (int deed = RESET_ONE; deed < DEEDS; deed++)
                for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
                    play(server, (enum callback)place, (enum act_kind)deed, cuts[i], NULL);
}

/* After GOAWAY and the end of the session inside a callback, further input is refused and changes nothing. */
static void cve_2026_27135_input_after_terminate(void **state)
{
    (void)state;
    static struct input in;
    static const enum callback places[] = {REQUEST, HEADERS, DATA, TRAILERS, RESET};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        begin(true, places[i], ABANDON);
        caller_input(&in);
        feed(&in, INPUT_MAX);
        assert_true(actor->abandoned);
        int before[PLACES];
        memcpy(before, actor->times, sizeof before);
        in.n = 0;
        frame(&in, PING_FRAME, 0, 0, "12345678", 8);
        HEADERS_OF(&in, END, 21, request);
        assert_int_not_equal(session_feed(&actor->session, in.p, in.n), ERR_NONE);
        assert_memory_equal(before, actor->times, sizeof before);
        finish();
    }
}

/* HEADERS and RST_STREAM in turn after a GOAWAY of the endpoint: nothing stays behind of any of them. */
static void cve_2023_35945_headers_and_resets_after_goaway(void **state)
{
    (void)state;
    static struct input in;
    play(false, GOAWAY, NOTHING, INPUT_MAX, NULL);
    begin(false, PLACES, NOTHING);
    actor->session.settings_seen = true;
    open_calls();
    in.n = 0;
    frame(&in, SETTINGS_FRAME, 0, 0, NULL, 0);
    frame(&in, GOAWAY_FRAME, 0, 0, "\0\0\0\x07\0\0\0\0", 8);
    for (uint32_t id = 1; id <= 7; id += 2) {
        HEADERS_OF(&in, 0, id, response);
        frame(&in, RST_FRAME, 0, id, "\0\0\0\x07", 4);
    }
    assert_int_equal(session_feed(&actor->session, in.p, in.n), ERR_NONE);
    assert_int_equal(actor->times[RESET], 4);
    assert_int_equal(actor->session.streams, 0);
    finish();
}

/* 100,000 fields of one indexed name: counted, never handed on. */
static void cve_2024_28182_continuation_flood(void **state)
{
    (void)state;
    static struct input in;
    begin(true, PLACES, NOTHING);
    in.n = 0;
    put(&in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(&in, SETTINGS_FRAME, 0, 0, NULL, 0);
    frame(&in, HEADERS_FRAME, END, 1, request, sizeof request - 1);
    for (int i = 0; i < 64; i++)
        frame(&in, 9, 0, 1, field, sizeof field - 1);
    assert_int_equal(session_feed(&actor->session, in.p, in.n), ERR_NONE);
    in.n = 0;
    frame(&in, 9, 0, 1, field, sizeof field - 1);
    assert_int_equal(session_feed(&actor->session, in.p, in.n), ERR_LIMIT);
    assert_int_equal(actor->times[REQUEST], 0);
    finish();
}

/* 500 resets in a turn are the burst, the next is the end; nothing of the streams stays. */
static void cve_2023_44487_rapid_reset(void **state)
{
    (void)state;
    static struct input in;
    begin(true, PLACES, NOTHING);
    in.n = 0;
    put(&in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(&in, SETTINGS_FRAME, 0, 0, NULL, 0);
    int refused = 0;
    enum err e = session_feed(&actor->session, in.p, in.n);
    for (uint32_t id = 1; e == ERR_NONE; id += 2, refused++) {
        memset(actor->given, 0, sizeof actor->given);
        actor->place = PLACES;
        in.n = 0;
        frame(&in, HEADERS_FRAME, WHOLE, id, "\x83\x86\x84\x41\x01x", 6);
        actor->env.now = NS_PER_S;
        e = session_feed(&actor->session, in.p, in.n);
        assert_int_equal(e, ERR_NONE);
        in.n = 0;
        frame(&in, RST_FRAME, 0, id, "\0\0\0\x08", 4);
        for (int i = 0; i < STREAMS; i++)
            if (actor->streams[i])
                actor->streams[i]->flags = 0; /* as if not answered */
        e = session_feed(&actor->session, in.p, in.n);
        assert_int_equal(actor->session.streams, 0);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_int_equal(refused, 501);
    finish();
}

/* Zero windows, window overflows and data after the end, one after the other: each reset counts, 1,000 are the end. */
static void cve_2025_8671_made_you_reset(void **state)
{
    (void)state;
    static struct input in;
    begin(true, PLACES, NOTHING);
    in.n = 0;
    put(&in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    frame(&in, SETTINGS_FRAME, 0, 0, NULL, 0);
    enum err e = session_feed(&actor->session, in.p, in.n);
    int resets = 0;
    for (uint32_t id = 1; e == ERR_NONE; id += 2, resets++) {
        memset(actor->given, 0, sizeof actor->given);
        in.n = 0;
        HEADERS_OF(&in, id % 3 == 2 ? END : 0, id, request);
        frame(&in, id % 3 == 2 ? DATA_FRAME : WINDOW_FRAME, 0, id, id % 3 == 0 ? "\0\0\0\0" : "\x7f\xff\xff\xff", 4);
        e = session_feed(&actor->session, in.p, in.n);
        buf_clear(&actor->session.out);
        assert_int_equal(actor->session.streams, 0);
    }
    assert_int_equal(e, ERR_LIMIT);
    assert_int_equal(resets, 1001);
    assert_int_equal(actor->times[WEARY], 1);
    finish();
}

/* A SETTINGS frame of 33 entries. */
static void cve_2020_11080_settings_entries(void **state)
{
    (void)state;
    static struct input in;
    static const char entries[33 * 6];
    for (size_t n = 32; n <= 33; n++) {
        begin(true, PLACES, NOTHING);
        in.n = 0;
        put(&in, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
        frame(&in, SETTINGS_FRAME, 0, 0, entries, n * 6);
        assert_int_equal(session_feed(&actor->session, in.p, in.n), n == 32 ? ERR_NONE : ERR_LIMIT);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_callback_comes_about),
        cmocka_unit_test(every_deed_in_every_callback),
        cmocka_unit_test(cve_2026_27135_input_after_terminate),
        cmocka_unit_test(cve_2023_35945_headers_and_resets_after_goaway),
        cmocka_unit_test(cve_2024_28182_continuation_flood),
        cmocka_unit_test(cve_2023_44487_rapid_reset),
        cmocka_unit_test(cve_2025_8671_made_you_reset),
        cmocka_unit_test(cve_2020_11080_settings_entries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
