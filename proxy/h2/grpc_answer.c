/* The fields of a local answer: status, message, and the details that say why and when to try again. */
#include "h2/grpc.h"

#include "rpc_status.pb-c.h"

#include <stdio.h>

enum { ATTEMPTS_MAX = 5, MESSAGE_BYTES_MAX = 1024, ATTEMPT_TEXT_MAX = 256, MS_PER_S = 1000, NS_PER_MS = 1000000 };

/* A field value neither begins nor ends with a space (RFC 9113 section 8.2.1). */
static bool is_plain(struct slice s, size_t i)
{
    uint8_t c = (uint8_t)s.p[i];
    bool at_the_edge = i == 0 || i + 1 == s.n;
    return c >= (at_the_edge ? 0x21 : 0x20) && c <= 0x7e && c != '%';
}

size_t grpc_message_encode(struct slice s, char *out)
{
    static const char HEX[] = "0123456789ABCDEF";
    char *w = out;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if (is_plain(s, i)) {
            *w++ = (char)c;
            continue;
        }
        *w++ = '%';
        *w++ = HEX[c >> 4];
        *w++ = HEX[c & 15];
    }
    return (size_t)(w - out);
}

size_t grpc_base64_encode(const uint8_t *p, size_t n, char *out)
{
    static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *w = out;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i < 3 ? n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k <= left; k++)
            *w++ = DIGITS[v >> (18 - 6 * k) & 63];
    }
    return (size_t)(w - out);
}

/* Everything the details point at. */
struct details {
    Rpc__Status status;
    Rpc__ErrorInfo info;
    Rpc__ErrorInfo__MetadataEntry entries[ATTEMPTS_MAX], *entry_list[ATTEMPTS_MAX];
    char keys[ATTEMPTS_MAX][sizeof "attempt.1"], values[ATTEMPTS_MAX][ATTEMPT_TEXT_MAX];
    Rpc__RetryInfo retry;
    Rpc__Duration delay;
    Rpc__Any any[2], *any_list[2];
};

static enum err add_any(struct details *d, struct arena *arena, const char *url, const ProtobufCMessage *m)
{
    Rpc__Any *any = &d->any[d->status.n_details];
    size_t n = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = arena_alloc(arena, n);
    if (!bytes)
        return ERR_NOMEM;
    protobuf_c_message_pack(m, bytes);
    rpc__any__init(any);
    any->type_url = (char *)url;
    any->value = (ProtobufCBinaryData){.len = n, .data = bytes};
    d->any_list[d->status.n_details++] = any;
    return ERR_NONE;
}

static void note_attempt(struct details *d, const struct grpc_attempt_note *note, size_t i)
{
    Rpc__ErrorInfo__MetadataEntry *entry = &d->entries[i];
    rpc__error_info__metadata_entry__init(entry);
    memcpy(d->keys[i], "attempt.1", sizeof "attempt.1");
    d->keys[i][sizeof "attempt." - 1] = (char)('1' + i);
    snprintf(d->values[i], ATTEMPT_TEXT_MAX, "%s %s %lldms", note->endpoint, status_name(note->status),
             (long long)note->duration_ms);
    entry->key = d->keys[i];
    entry->value = d->values[i];
    d->entry_list[i] = entry;
}

static enum err add_error_info(struct details *d, const struct grpc_answer *a, struct arena *arena)
{
    rpc__error_info__init(&d->info);
    d->info.reason = (char *)reason_name(a->reason);
    d->info.domain = "outrigger";
    d->info.n_metadata = a->attempts_n < ATTEMPTS_MAX ? a->attempts_n : ATTEMPTS_MAX;
    d->info.metadata = d->entry_list;
    for (size_t i = 0; i < d->info.n_metadata; i++)
        note_attempt(d, &a->attempts[i], i);
    return add_any(d, arena, "type.googleapis.com/google.rpc.ErrorInfo", &d->info.base);
}

static enum err add_retry_info(struct details *d, int64_t delay_ms, struct arena *arena)
{
    rpc__retry_info__init(&d->retry);
    rpc__duration__init(&d->delay);
    d->delay.seconds = delay_ms / MS_PER_S;
    d->delay.nanos = (int32_t)(delay_ms % MS_PER_S * NS_PER_MS);
    d->retry.retry_delay = &d->delay;
    return add_any(d, arena, "type.googleapis.com/google.rpc.RetryInfo", &d->retry.base);
}

static enum err encode_status(const Rpc__Status *s, struct arena *arena, struct slice *ret)
{
    size_t n = rpc__status__get_packed_size(s);
    uint8_t *bytes = arena_alloc(arena, n);
    char *text = arena_alloc(arena, (n + 2) / 3 * 4);
    if (!bytes || !text)
        return ERR_NOMEM;
    rpc__status__pack(s, bytes);
    *ret = slice_make(text, grpc_base64_encode(bytes, n, text));
    return ERR_NONE;
}

static enum err encode_details(const struct grpc_answer *a, const char *message, struct arena *arena, struct slice *ret)
{
    struct details d;
    rpc__status__init(&d.status);
    d.status.code = (int32_t)a->status;
    d.status.message = (char *)message;
    d.status.details = d.any_list;
    enum err e = a->reason == REASON_NONE ? ERR_NONE : add_error_info(&d, a, arena);
    if (e == ERR_NONE && a->retry_after_ms >= 0)
        e = add_retry_info(&d, a->retry_after_ms, arena);
    return e == ERR_NONE ? encode_status(&d.status, arena, ret) : e;
}

static enum err add_number(struct headers *h, struct arena *arena, enum token t, int64_t v)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)v);
    struct slice copy = arena_copy(arena, slice_make(text, (size_t)n));
    return copy.p && headers_add(h, header_make(t, copy)) ? ERR_NONE : ERR_NOMEM;
}

static enum err add_message(struct headers *h, struct arena *arena, struct slice message)
{
    char *text = arena_alloc(arena, 3 * message.n);
    if (!text)
        return ERR_NOMEM;
    size_t n = grpc_message_encode(message, text);
    return headers_add(h, header_make(TOKEN_GRPC_MESSAGE, slice_make(text, n))) ? ERR_NONE : ERR_NOMEM;
}

/* The message within its bound, not cut inside a character. */
static struct slice bounded(const char *message)
{
    size_t n = strlen(message);
    if (n <= MESSAGE_BYTES_MAX)
        return slice_make(message, n);
    n = MESSAGE_BYTES_MAX;
    while (n > 0 && (message[n] & 0xc0) == 0x80)
        n--;
    return slice_make(message, n);
}

enum err grpc_answer_fields(const struct grpc_answer *a, struct arena *arena, struct headers *h)
{
    struct slice message = arena_copy(arena, bounded(a->message));
    struct slice details;
    if (!message.p)
        return ERR_NOMEM;
    enum err e = add_number(h, arena, TOKEN_GRPC_STATUS, (int64_t)a->status);
    if (e == ERR_NONE)
        e = add_message(h, arena, message);
    if (e == ERR_NONE)
        e = encode_details(a, message.p, arena, &details);
    if (e == ERR_NONE && !headers_add(h, header_make(TOKEN_GRPC_STATUS_DETAILS_BIN, details)))
        e = ERR_NOMEM;
    if (e == ERR_NONE && a->pushback && a->retry_after_ms >= 0)
        e = add_number(h, arena, TOKEN_GRPC_RETRY_PUSHBACK_MS, a->retry_after_ms);
    return e;
}
