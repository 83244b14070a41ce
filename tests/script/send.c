/* "NAME sends FRAME ..." : words into bytes. */
#include "say.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIELDS_MAX = 2100, FRAME_PAYLOAD_MAX = 16384 };

static const struct {
    const char *name;
    uint32_t number;
} codes[] = {{"NO_ERROR", 0},
             {"PROTOCOL_ERROR", 1},
             {"INTERNAL_ERROR", 2},
             {"FLOW_CONTROL_ERROR", 3},
             {"SETTINGS_TIMEOUT", 4},
             {"STREAM_CLOSED", 5},
             {"FRAME_SIZE_ERROR", 6},
             {"REFUSED_STREAM", 7},
             {"CANCEL", 8},
             {"COMPRESSION_ERROR", 9},
             {"CONNECT_ERROR", 10},
             {"ENHANCE_YOUR_CALM", 11},
             {"INADEQUATE_SECURITY", 12},
             {"HTTP_1_1_REQUIRED", 13}};

static const char *const settings[] = {"",
                                       "HEADER_TABLE_SIZE",
                                       "ENABLE_PUSH",
                                       "MAX_CONCURRENT_STREAMS",
                                       "INITIAL_WINDOW_SIZE",
                                       "MAX_FRAME_SIZE",
                                       "MAX_HEADER_LIST_SIZE"};

/* A line being sent: what the words said. */
struct saying {
    struct peer *peer;
    uint8_t type, flags;
    uint32_t stream, code, last, n, padding;
    bool has_flags, padded, more;
    struct buf body;
    nghttp2_nv fields[FIELDS_MAX];
    size_t fields_n;
    char *made[FIELDS_MAX]; /* texts behind fields */
    size_t made_n;
};

bool say_code(struct slice word, uint32_t *ret)
{
    uint64_t n;
    if (words_number(word, &n)) {
        *ret = (uint32_t)n;
        return true;
    }
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (words_is(word, codes[i].name)) {
            *ret = codes[i].number;
            return true;
        }
    return false;
}

static void put_number(struct buf *b, uint32_t n)
{
    uint8_t bytes[] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    if (buf_append(b, bytes, 4) != ERR_NONE)
        abort();
}

static void put(struct buf *b, const void *p, size_t n)
{
    if (n > 0 && buf_append(b, p, n) != ERR_NONE)
        abort();
}

bool say_settings(struct words *w, struct buf *out)
{
    while (!words_end(w)) {
        struct slice name, value, word = words_next(w);
        uint64_t number, id = 0;
        if (!words_pair(word, &name, &value) || !words_number(value, &number))
            return false;
        for (size_t i = 1; i < sizeof settings / sizeof settings[0]; i++)
            if (words_is(name, settings[i]))
                id = i;
        if (id == 0 && !words_number(name, &id))
            return false;
        uint8_t bytes[] = {(uint8_t)(id >> 8), (uint8_t)id};
        put(out, bytes, 2);
        put_number(out, (uint32_t)number);
    }
    return true;
}

static void fill(struct buf *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(b, &"abcdefghijklmnopqrstuvwxyz"[i % 26], 1);
}

static bool put_hex(struct buf *b, struct slice s)
{
    char two[3] = "";
    for (size_t i = 0; i + 1 < s.n; i += 2) {
        char *end;
        memcpy(two, s.p + i, 2);
        uint8_t byte = (uint8_t)strtoul(two, &end, 16);
        if (*end)
            return false;
        put(b, &byte, 1);
    }
    return s.n % 2 == 0;
}

/* A gRPC message: "@N" stands for N bytes. */
static void put_message(struct buf *b, struct slice text)
{
    uint64_t n = text.n;
    bool made = text.n > 1 && text.p[0] == '@' && words_number(slice_sub(text, 1, text.n), &n);
    put(b, "", 1);
    put_number(b, (uint32_t)n);
    if (made)
        fill(b, n);
    else
        put(b, text.p, text.n);
}

static void add_field(struct saying *s, struct slice name, struct slice value)
{
    uint64_t n;
    if (s->fields_n == FIELDS_MAX)
        return;
    if (value.n > 1 && value.p[0] == '@' && words_number(slice_sub(value, 1, value.n), &n)) {
        char *text = s->made[s->made_n++] = malloc(n + 1);
        if (!text)
            abort();
        memset(text, 'a', n);
        value = slice_make(text, n);
    }
    s->fields[s->fields_n++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.p,
                                            .namelen = name.n,
                                            .value = (uint8_t *)(uintptr_t)value.p,
                                            .valuelen = value.n};
}

/* What every honest caller sends. */
static void add_call(struct saying *s, struct slice path)
{
    add_field(s, SLICE(":method"), SLICE("POST"));
    add_field(s, SLICE(":scheme"), SLICE("http"));
    add_field(s, SLICE(":path"), path);
    add_field(s, SLICE(":authority"), SLICE("shop"));
    add_field(s, SLICE("content-type"), SLICE("application/grpc"));
    add_field(s, SLICE("te"), SLICE("trailers"));
}

static void add_answer(struct saying *s)
{
    add_field(s, SLICE(":status"), SLICE("200"));
    add_field(s, SLICE("content-type"), SLICE("application/grpc"));
}

static void add_many(struct saying *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *name = s->made[s->made_n++] = malloc(32);
        if (!name)
            abort();
        (void)snprintf(name, 32, "x-%zu", i);
        add_field(s, slice_str(name), SLICE("v"));
    }
}

static bool take_number(struct slice value, uint32_t *to)
{
    uint64_t n;
    *to = words_number(value, &n) ? (uint32_t)n : 0;
    return words_number(value, &n);
}

/* Words that mean the same in every frame. */
static bool take_common(struct saying *s, struct slice name, struct slice value, bool *known)
{
    *known = true;
    if (words_is(name, "stream"))
        return take_number(value, &s->stream);
    if (words_is(name, "code"))
        return say_code(value, &s->code);
    if (words_is(name, "last"))
        return take_number(value, &s->last);
    if (words_is(name, "n"))
        return take_number(value, &s->n);
    if (words_is(name, "hex"))
        return put_hex(&s->body, value);
    if (words_is(name, "text")) {
        put(&s->body, value.p, value.n);
        return true;
    }
    if (words_is(name, "padding")) {
        s->padded = true;
        return take_number(value, &s->padding);
    }
    if (words_is(name, "flags")) {
        uint32_t flags;
        s->has_flags = take_number(value, &flags);
        s->flags = (uint8_t)flags;
        return s->has_flags;
    }
    *known = false;
    return true;
}

static bool take_pair(struct saying *s, struct slice name, struct slice value)
{
    bool known;
    uint64_t n;
    if (!take_common(s, name, value, &known))
        return false;
    if (known)
        return true;
    if (s->type == FRAME_DATA && words_is(name, "message")) {
        put_message(&s->body, value);
    } else if (s->type == FRAME_DATA && words_is(name, "size") && words_number(value, &n)) {
        fill(&s->body, n);
    } else if (s->type == FRAME_HEADERS && words_is(name, "call")) {
        add_call(s, value);
    } else if (s->type == FRAME_HEADERS && words_is(name, "fields") && words_number(value, &n)) {
        add_many(s, n);
    } else if (s->type == FRAME_HEADERS) {
        add_field(s, name, value);
    } else {
        return false;
    }
    return true;
}

static bool take_word(struct saying *s, struct slice word)
{
    struct slice name, value;
    if (words_is(word, "end"))
        s->flags |= FRAME_END_STREAM;
    else if (words_is(word, "ack"))
        s->flags |= FRAME_ACK;
    else if (words_is(word, "more"))
        s->more = true;
    else if (words_is(word, "answer") && s->type == FRAME_HEADERS)
        add_answer(s);
    else
        return words_pair(word, &name, &value) && take_pair(s, name, value);
    return true;
}

/* DATA is cut into frames of the size that everybody takes; padding and the end belong to the last. */
static void send_data(struct saying *s)
{
    while (buf_len(&s->body) > FRAME_PAYLOAD_MAX) {
        peer_send(s->peer, FRAME_DATA, 0, s->stream, buf_head(&s->body), FRAME_PAYLOAD_MAX);
        buf_consume(&s->body, FRAME_PAYLOAD_MAX);
    }
    if (s->padded) {
        struct buf padded = {0};
        uint8_t n = (uint8_t)s->padding;
        put(&padded, &n, 1);
        put(&padded, buf_head(&s->body), buf_len(&s->body));
        for (uint32_t i = 0; i < s->padding; i++)
            put(&padded, "", 1);
        peer_send(s->peer, FRAME_DATA, s->flags | FRAME_PADDED, s->stream, buf_head(&padded), buf_len(&padded));
        buf_fini(&padded);
        return;
    }
    peer_send(s->peer, FRAME_DATA, s->flags, s->stream, buf_head(&s->body), buf_len(&s->body));
}

static void send_headers(struct saying *s)
{
    if (s->fields_n > 0)
        peer_deflate(s->peer, s->fields, s->fields_n, &s->body);
    uint8_t flags = s->has_flags ? s->flags : (uint8_t)(s->flags | (s->more ? 0 : FRAME_END_HEADERS));
    size_t n = buf_len(&s->body) < FRAME_PAYLOAD_MAX ? buf_len(&s->body) : FRAME_PAYLOAD_MAX;
    bool cut = n < buf_len(&s->body);
    peer_send(s->peer, s->type, cut ? flags & (uint8_t)~FRAME_END_HEADERS : flags, s->stream, buf_head(&s->body), n);
    buf_consume(&s->body, n);
    while (buf_len(&s->body) > 0) {
        n = buf_len(&s->body) < FRAME_PAYLOAD_MAX ? buf_len(&s->body) : FRAME_PAYLOAD_MAX;
        flags = n == buf_len(&s->body) ? FRAME_END_HEADERS : 0;
        peer_send(s->peer, FRAME_CONTINUATION, flags, s->stream, buf_head(&s->body), n);
        buf_consume(&s->body, n);
    }
}

static void send_body(struct saying *s)
{
    if (s->type == FRAME_PING && buf_len(&s->body) == 0)
        put(&s->body, "pingpong", 8);
    if (s->type == FRAME_GOAWAY)
        put_number(&s->body, s->last);
    if (s->type == FRAME_GOAWAY || s->type == FRAME_RST_STREAM)
        put_number(&s->body, s->code);
    if (s->type == FRAME_WINDOW_UPDATE)
        put_number(&s->body, s->n);
    peer_send(s->peer, s->type, s->flags, s->stream, buf_head(&s->body), buf_len(&s->body));
}

static bool find_type(struct slice word, uint8_t *ret)
{
    for (uint8_t i = 0; i < FRAME_TYPES; i++)
        if (words_is(word, frame_names[i])) {
            *ret = i;
            return true;
        }
    return false;
}

static bool send_raw(struct peer *p, struct words *w)
{
    struct saying *s = calloc(1, sizeof *s);
    bool ok = s != NULL;
    while (ok && !words_end(w))
        ok = take_word(s, words_next(w));
    if (ok)
        peer_send_raw(p, buf_head(&s->body), buf_len(&s->body));
    if (s)
        buf_fini(&s->body);
    free(s);
    return ok;
}

/* "FRAME type=N ..." is a frame of any type; the rest as for others. */
static bool take_type(struct saying *s, struct words *w)
{
    struct slice word = words_next(w), name, value;
    uint32_t n;
    if (find_type(word, &s->type))
        return true;
    if (!words_is(word, "FRAME") || !words_pair(words_next(w), &name, &value) || !take_number(value, &n))
        return false;
    s->type = (uint8_t)n;
    return true;
}

static bool send_words(struct saying *s, struct words *w, char *why)
{
    if (!take_type(s, w)) {
        (void)snprintf(why, SAY_WHY_MAX, "no such frame");
        return false;
    }
    if (s->type == FRAME_SETTINGS && words_take(w, "ack"))
        s->flags = FRAME_ACK;
    if (s->type == FRAME_SETTINGS && !say_settings(w, &s->body)) {
        (void)snprintf(why, SAY_WHY_MAX, "no such setting");
        return false;
    }
    while (!words_end(w)) {
        struct slice word = words_next(w);
        if (!take_word(s, word)) {
            (void)snprintf(why, SAY_WHY_MAX, "\"%.*s\" is not understood", (int)word.n, word.p);
            return false;
        }
    }
    if (s->type == FRAME_DATA)
        send_data(s);
    else if (s->type == FRAME_HEADERS || s->type == FRAME_CONTINUATION)
        send_headers(s);
    else
        send_body(s);
    return true;
}

bool say_send(struct peer *p, struct words *w, char *why)
{
    if (words_take(w, "RAW")) {
        (void)snprintf(why, SAY_WHY_MAX, "RAW wants hex= or text=");
        return send_raw(p, w);
    }
    struct saying *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->peer = p;
    bool ok = send_words(s, w, why);
    for (size_t i = 0; i < s->made_n; i++)
        free(s->made[i]);
    buf_fini(&s->body);
    free(s);
    return ok;
}
