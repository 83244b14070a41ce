/* "NAME expects FRAME ..." : frames against words. */
#include "say.h"

#include <stdio.h>
#include <stdlib.h>

/* What the words ask for. */
struct wish {
    uint8_t type;
    bool has_stream, has_size, end, ack, exact;
    uint32_t stream;
    size_t size;
    const struct words *words;
    size_t at; /* of the first word behind the type */
};

/* Frames that come by themselves in every connection. */
static bool is_automatic(const struct frame *f)
{
    return f->type == FRAME_SETTINGS || f->type == FRAME_WINDOW_UPDATE || f->type == FRAME_PRIORITY ||
           (f->type == FRAME_PING && (f->flags & FRAME_ACK));
}

struct frame *say_pending(const struct peer *p)
{
    LIST_FOR(n, &p->inbox) {
        struct frame *f = CONTAINER_OF(n, struct frame, node);
        if (!is_automatic(f))
            return f;
    }
    return NULL;
}

static bool no(char *why, const char *what, struct slice word)
{
    (void)snprintf(why, SAY_WHY_MAX, "%s: %.*s", what, (int)word.n, word.p);
    return false;
}

/* A grpc-timeout value in nanoseconds. */
static bool timeout_of(const char *value, double *ret)
{
    static const char units[] = "numSMH";
    static const double ns[] = {1, 1e3, 1e6, 1e9, 60e9, 3600e9};
    char *end;
    *ret = strtod(value, &end);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (end == value || !unit || end[1])
        return false;
    *ret *= ns[unit - units];
    return true;
}

/* Whether the bytes behind a base64 text hold `part`. */
static bool decoded_has(const struct field *f, struct slice part)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char bytes[4096];
    size_t n = 0;
    uint32_t v = 0;
    for (size_t i = 0; i < f->value_n && n + 3 < sizeof bytes; i++) {
        const char *hit = f->value[i] ? strchr(digits, f->value[i]) : NULL;
        if (!hit)
            break;
        v = v << 6 | (uint32_t)(hit - digits);
        if (i % 4 > 0)
            bytes[n++] = (char)(v >> (6 - 2 * (i % 4)));
    }
    return memmem(bytes, n, part.p, part.n) != NULL;
}

static bool is_binary(const struct field *f)
{
    size_t n = strlen(f->name);
    return n > 4 && strcmp(f->name + n - 4, "-bin") == 0;
}

static bool compare(const struct field *f, char op, struct slice want)
{
    char text[64];
    double a, b;
    switch (op) {
    case '=':
        return slice_eq(slice_make(f->value, f->value_n), want);
    case '~':
        return is_binary(f) ? decoded_has(f, want) : memmem(f->value, f->value_n, want.p, want.n) != NULL;
    default:
        (void)snprintf(text, sizeof text, "%.*s", (int)want.n, want.p);
        return timeout_of(f->value, &a) && timeout_of(text, &b) && (op == '<' ? a <= b : a >= b);
    }
}

/* name=value, name~part, name<=timeout, name>=timeout, !name. */
static bool match_field(const struct frame *f, struct slice word)
{
    bool absent = word.n > 1 && word.p[0] == '!';
    struct slice name = absent ? slice_sub(word, 1, word.n) : word, value = SLICE("");
    char op = '=';
    for (size_t i = 1; i < word.n && !absent; i++)
        if (strchr("=~<>", word.p[i])) {
            op = word.p[i];
            name = slice_sub(word, 0, i);
            value = slice_sub(word, i + (op == '<' || op == '>' ? 2 : 1), word.n);
            break;
        }
    uint64_t n;
    if (!absent && value.n > 1 && value.p[0] == '@' && words_number(slice_sub(value, 1, value.n), &n) && op == '=') {
        for (size_t i = 0; i < f->fields_n; i++)
            if (words_is(name, f->fields[i].name) && f->fields[i].value_n == n)
                return true;
        return false;
    }
    for (size_t i = 0; i < f->fields_n; i++)
        if (words_is(name, f->fields[i].name) && (absent || compare(&f->fields[i], op, value)))
            return !absent;
    return absent;
}

static uint32_t number_at(const struct frame *f, size_t at)
{
    const uint8_t *p = buf_head(&f->payload) + at;
    return buf_len(&f->payload) < at + 4 ? 0 : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool match_setting(const struct frame *f, struct slice word)
{
    struct buf want = {0};
    struct words w = {.v = {word}, .n = 1};
    bool found = false;
    if (say_settings(&w, &want))
        for (size_t i = 0; i + 6 <= buf_len(&f->payload); i += 6)
            found |= memcmp(buf_head(&f->payload) + i, buf_head(&want), 6) == 0;
    buf_fini(&want);
    return found;
}

static bool match_number(const struct frame *f, struct slice name, struct slice value)
{
    uint32_t n;
    uint64_t wide;
    if (words_is(name, "code"))
        return say_code(value, &n) && n == number_at(f, f->type == FRAME_GOAWAY ? 4 : 0);
    if (words_is(name, "last") && f->type == FRAME_GOAWAY)
        return words_number(value, &wide) && wide == number_at(f, 0);
    if (words_is(name, "n") && f->type == FRAME_WINDOW_UPDATE)
        return words_number(value, &wide) && wide == number_at(f, 0);
    return false;
}

/* One word against a frame that is no DATA. */
static bool match_word(const struct frame *f, struct slice word)
{
    struct slice name, value;
    bool pair = words_pair(word, &name, &value);
    if (words_is(word, "end"))
        return (f->flags & FRAME_END_STREAM) != 0;
    if (words_is(word, "ack"))
        return (f->flags & FRAME_ACK) != 0;
    if (words_is(word, "open"))
        return (f->flags & FRAME_END_STREAM) == 0;
    if (pair && words_is(name, "stream"))
        return true;
    if (f->type == FRAME_HEADERS)
        return match_field(f, word);
    if (f->type == FRAME_SETTINGS)
        return match_setting(f, word);
    return pair && match_number(f, name, value);
}

static bool match_frame(const struct wish *wish, const struct frame *f, char *why)
{
    for (size_t i = wish->at; i < wish->words->n; i++)
        if (!match_word(f, wish->words->v[i])) {
            char text[SAY_WHY_MAX - 200];
            (void)snprintf(why, SAY_WHY_MAX, "not as expected: %.*s\n    in: %s", (int)wish->words->v[i].n,
                           wish->words->v[i].p, frame_format(f, text, sizeof text));
            return false;
        }
    return true;
}

static bool belongs(const struct wish *wish, const struct frame *f)
{
    return !wish->has_stream || f->stream == wish->stream;
}

static void drop(struct frame *f)
{
    list_remove(&f->node);
    frame_free(f);
}

static void message_bytes(struct slice text, struct buf *out)
{
    uint8_t head[5] = {0, 0, 0, (uint8_t)(text.n >> 8), (uint8_t)text.n};
    if (buf_append(out, head, 5) != ERR_NONE || (text.n > 0 && buf_append(out, text.p, text.n) != ERR_NONE))
        abort();
}

/* Collects DATA of the stream from the inbox until there are enough bytes. */
static enum say collect(struct peer *p, const struct wish *wish, struct buf *got, bool *ended, char *why)
{
    LIST_FOR(n, &p->inbox) {
        const struct frame *f = CONTAINER_OF(n, struct frame, node);
        if (!belongs(wish, f) || is_automatic(f))
            continue;
        if (f->type != FRAME_DATA) {
            char text[1024];
            (void)snprintf(why, SAY_WHY_MAX, "after %zu bytes of DATA came %s", buf_len(got),
                           frame_format(f, text, sizeof text));
            return SAY_NO;
        }
        if (buf_len(&f->payload) > 0 && buf_append(got, buf_head(&f->payload), buf_len(&f->payload)) != ERR_NONE)
            abort();
        *ended = (f->flags & FRAME_END_STREAM) != 0;
        if (buf_len(got) > wish->size)
            break;
        if (buf_len(got) == wish->size && (!wish->end || *ended))
            return SAY_YES;
    }
    (void)snprintf(why, SAY_WHY_MAX, "%zu bytes of DATA came%s, expected %zu%s", buf_len(got),
                   *ended ? " with the end" : "", wish->size, wish->end ? " and the end" : "");
    return buf_len(got) > wish->size || *ended ? SAY_NO : SAY_NOT_YET;
}

static void take_data(struct peer *p, const struct wish *wish)
{
    size_t left = wish->size;
    LIST_FOR_SAFE(n, &p->inbox) {
        struct frame *f = CONTAINER_OF(n, struct frame, node);
        if (!belongs(wish, f) || f->type != FRAME_DATA)
            continue;
        bool last = (f->flags & FRAME_END_STREAM) != 0;
        left -= buf_len(&f->payload);
        drop(f);
        if (left == 0 && (!wish->end || last))
            return;
    }
}

static enum say expect_data(struct peer *p, struct wish *wish, char *why)
{
    struct buf want = {0}, got = {0};
    bool ended = false, exact = false;
    for (size_t i = wish->at; i < wish->words->n; i++) {
        struct slice word = wish->words->v[i], name, value;
        uint64_t n;
        if (words_is(word, "end"))
            wish->end = true;
        else if (!words_pair(word, &name, &value))
            (void)no(why, "not understood", word);
        else if (words_is(name, "size") && words_number(value, &n))
            wish->size = n;
        else if (words_is(name, "message"))
            message_bytes(value, &want), exact = true;
        else if (words_is(name, "text") && buf_append(&want, value.p, value.n) == ERR_NONE)
            exact = true;
    }
    if (exact)
        wish->size = buf_len(&want);
    enum say say = collect(p, wish, &got, &ended, why);
    if (say == SAY_YES && exact && memcmp(buf_head(&want), buf_head(&got), buf_len(&want)) != 0) {
        (void)snprintf(why, SAY_WHY_MAX, "other bytes came: %.*s", (int)buf_len(&got), (const char *)buf_head(&got));
        say = SAY_NO;
    }
    if (say == SAY_YES)
        take_data(p, wish);
    buf_fini(&want);
    buf_fini(&got);
    return say;
}

static bool read_wish(const struct words *w, struct wish *wish, char *why)
{
    struct slice word = w->at < w->n ? w->v[w->at] : SLICE("");
    *wish = (struct wish){.words = w, .at = w->at + 1, .type = FRAME_TYPES};
    for (uint8_t i = 0; i < FRAME_TYPES; i++)
        if (words_is(word, frame_names[i]))
            wish->type = i;
    if (wish->type == FRAME_TYPES)
        return no(why, "no such frame", word);
    for (size_t i = wish->at; i < w->n; i++) {
        struct slice name, value;
        uint64_t n;
        if (words_pair(w->v[i], &name, &value) && words_is(name, "stream") && words_number(value, &n)) {
            wish->has_stream = true;
            wish->stream = (uint32_t)n;
        }
    }
    return true;
}

enum say say_expect(struct peer *p, const struct words *w, char *why)
{
    struct wish wish;
    if (!read_wish(w, &wish, why))
        return SAY_NO;
    if (wish.type == FRAME_DATA)
        return expect_data(p, &wish, why);
    LIST_FOR_SAFE(n, &p->inbox) {
        struct frame *f = CONTAINER_OF(n, struct frame, node);
        char text[SAY_WHY_MAX - 64];
        if (!belongs(&wish, f) || (is_automatic(f) && f->type != wish.type))
            continue;
        if (is_automatic(f) && !match_frame(&wish, f, why))
            continue;
        if (f->type != wish.type) {
            (void)snprintf(why, SAY_WHY_MAX, "came instead: %s", frame_format(f, text, sizeof text));
            return SAY_NO;
        }
        if (!match_frame(&wish, f, why))
            return SAY_NO;
        drop(f);
        return SAY_YES;
    }
    (void)snprintf(why, SAY_WHY_MAX, "nothing came");
    return SAY_NOT_YET;
}

bool say_has(struct peer *p, const struct words *w, char *why)
{
    struct wish wish;
    if (!read_wish(w, &wish, why))
        return true;
    LIST_FOR(n, &p->inbox) {
        const struct frame *f = CONTAINER_OF(n, struct frame, node);
        if (f->type != wish.type || !belongs(&wish, f) || !match_frame(&wish, f, why))
            continue;
        char text[SAY_WHY_MAX - 64];
        (void)snprintf(why, SAY_WHY_MAX, "there is: %s", frame_format(f, text, sizeof text));
        return true;
    }
    return false;
}
