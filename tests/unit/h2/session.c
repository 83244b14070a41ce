/* The session frame by frame, where the rules and bounds are. */
#include "session_help.h"

enum { RAW_MAX = 1 << 20 };

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
    uint64_t before = counter_get(&stats.bounds[BOUND_DOWNSTREAM][BOUND_PREMATURE_RESETS]);
    (void)state;
    put_start(&raw);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    for (uint32_t i = 0; i <= (uint32_t)bounds_default.premature_resets.burst; i++) {
        o->used = 0;
        put_request(&raw, 2 * i + 1, false);
        assert_int_equal(feed(o, &raw), ERR_NONE);
        o->echoes[0].stream.flags &= (uint8_t)~1; /* as if not answered yet */
        put_frame(&raw, 3, 0, 2 * i + 1, "\0\0\0\x08", 4);
        buf_clear(&o->session.out);
        o->session.control_queued = 0;
        assert_int_equal(feed(o, &raw), i < (uint32_t)bounds_default.premature_resets.burst ? ERR_NONE : ERR_LIMIT);
    }
    assert_int_equal(last_code(&o->session.out, GOAWAY), H2_ENHANCE_YOUR_CALM);
    assert_int_equal(counter_get(&stats.bounds[BOUND_DOWNSTREAM][BOUND_PREMATURE_RESETS]), before + 1);
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
    for (uint32_t i = o->session.control_queued; i < bounds_default.queued_control_frames; i++) {
        o->session.pings.tokens = 2; /* as if they came slowly */
        put_frame(&raw, 6, 0, 0, "12345678", 8);
        assert_int_equal(feed(o, &raw), ERR_NONE);
    }
    put_frame(&raw, 6, 0, 0, "12345678", 8);
    assert_int_equal(feed(o, &raw), ERR_NONE); /* it could not read yet */
    session_on_flushed(&o->session, buf_len(&o->session.out));
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
    for (int i = 0; i < bounds_default.glitches.burst; i++) {
        put_frame(&raw, 4, 1, 0, "", 0); /* the first acknowledges ours */
        assert_int_equal(feed(o, &raw), ERR_NONE);
        assert_int_equal(o->weary, i >= bounds_default.glitches.burst / 4 * 3);
    }
    put_frame(&raw, 4, 1, 0, "", 0);
    assert_int_equal(feed(o, &raw), ERR_NONE);
    put_frame(&raw, 4, 1, 0, "", 0);
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
    for (size_t n = (size_t)bounds_default.continuations; n <= (size_t)bounds_default.continuations + 1; n++) {
        struct ours *o = ours_new(true, 100);
        assert_int_equal(feed_continuations(o, n), n <= (size_t)bounds_default.continuations ? ERR_NONE : ERR_LIMIT);
        assert_int_equal(o->used, n <= (size_t)bounds_default.continuations ? 1 : 0);
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
    assert_int_equal(o->echoes[0].stream.pending.bytes, SESSION_WINDOW_DEFAULT);
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
