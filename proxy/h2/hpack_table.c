/* The static table as constants, and the dynamic table over one growing block of bytes that is compacted now and then.
 */
#include "h2/hpack_table.h"

#include <stdlib.h>

/* RFC 7541 appendix A. */
#define STATIC_LIST(X)                                                                                                 \
    X(AUTHORITY, ":authority", "")                                                                                     \
    X(METHOD, ":method", "GET")                                                                                        \
    X(METHOD, ":method", "POST")                                                                                       \
    X(PATH, ":path", "/")                                                                                              \
    X(PATH, ":path", "/index.html")                                                                                    \
    X(SCHEME, ":scheme", "http")                                                                                       \
    X(SCHEME, ":scheme", "https")                                                                                      \
    X(STATUS, ":status", "200")                                                                                        \
    X(STATUS, ":status", "204")                                                                                        \
    X(STATUS, ":status", "206")                                                                                        \
    X(STATUS, ":status", "304")                                                                                        \
    X(STATUS, ":status", "400")                                                                                        \
    X(STATUS, ":status", "404")                                                                                        \
    X(STATUS, ":status", "500")                                                                                        \
    X(ACCEPT_CHARSET, "accept-charset", "")                                                                            \
    X(ACCEPT_ENCODING, "accept-encoding", "gzip, deflate")                                                             \
    X(ACCEPT_LANGUAGE, "accept-language", "")                                                                          \
    X(ACCEPT_RANGES, "accept-ranges", "")                                                                              \
    X(ACCEPT, "accept", "")                                                                                            \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin", "")                                                  \
    X(AGE, "age", "")                                                                                                  \
    X(ALLOW, "allow", "")                                                                                              \
    X(AUTHORIZATION, "authorization", "")                                                                              \
    X(CACHE_CONTROL, "cache-control", "")                                                                              \
    X(CONTENT_DISPOSITION, "content-disposition", "")                                                                  \
    X(CONTENT_ENCODING, "content-encoding", "")                                                                        \
    X(CONTENT_LANGUAGE, "content-language", "")                                                                        \
    X(CONTENT_LENGTH, "content-length", "")                                                                            \
    X(CONTENT_LOCATION, "content-location", "")                                                                        \
    X(CONTENT_RANGE, "content-range", "")                                                                              \
    X(CONTENT_TYPE, "content-type", "")                                                                                \
    X(COOKIE, "cookie", "")                                                                                            \
    X(DATE, "date", "")                                                                                                \
    X(ETAG, "etag", "")                                                                                                \
    X(EXPECT, "expect", "")                                                                                            \
    X(EXPIRES, "expires", "")                                                                                          \
    X(FROM, "from", "")                                                                                                \
    X(HOST, "host", "")                                                                                                \
    X(IF_MATCH, "if-match", "")                                                                                        \
    X(IF_MODIFIED_SINCE, "if-modified-since", "")                                                                      \
    X(IF_NONE_MATCH, "if-none-match", "")                                                                              \
    X(IF_RANGE, "if-range", "")                                                                                        \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since", "")                                                                  \
    X(LAST_MODIFIED, "last-modified", "")                                                                              \
    X(LINK, "link", "")                                                                                                \
    X(LOCATION, "location", "")                                                                                        \
    X(MAX_FORWARDS, "max-forwards", "")                                                                                \
    X(PROXY_AUTHENTICATE, "proxy-authenticate", "")                                                                    \
    X(PROXY_AUTHORIZATION, "proxy-authorization", "")                                                                  \
    X(RANGE, "range", "")                                                                                              \
    X(REFERER, "referer", "")                                                                                          \
    X(REFRESH, "refresh", "")                                                                                          \
    X(RETRY_AFTER, "retry-after", "")                                                                                  \
    X(SERVER, "server", "")                                                                                            \
    X(SET_COOKIE, "set-cookie", "")                                                                                    \
    X(STRICT_TRANSPORT_SECURITY, "strict-transport-security", "")                                                      \
    X(TRANSFER_ENCODING, "transfer-encoding", "")                                                                      \
    X(USER_AGENT, "user-agent", "")                                                                                    \
    X(VARY, "vary", "")                                                                                                \
    X(VIA, "via", "")                                                                                                  \
    X(WWW_AUTHENTICATE, "www-authenticate", "")

#define FIELD(token_, name_, value_)                                                                                   \
    {.name = name_,                                                                                                    \
     .value = value_,                                                                                                  \
     .name_n = sizeof(name_) - 1,                                                                                      \
     .value_n = sizeof(value_) - 1,                                                                                    \
     .token = TOKEN_##token_},

const struct header HPACK_STATIC[HPACK_STATIC_ENTRIES + 1] = {{0}, STATIC_LIST(FIELD)};

#define R(token, first, n) [TOKEN_##token] = {first, n}
const struct hpack_range HPACK_STATIC_RANGE[TOKEN_COUNT] = {
    R(AUTHORITY, 1, 1),
    R(METHOD, 2, 2),
    R(PATH, 4, 2),
    R(SCHEME, 6, 2),
    R(STATUS, 8, 7),
    R(ACCEPT_CHARSET, 15, 1),
    R(ACCEPT_ENCODING, 16, 1),
    R(ACCEPT_LANGUAGE, 17, 1),
    R(ACCEPT_RANGES, 18, 1),
    R(ACCEPT, 19, 1),
    R(ACCESS_CONTROL_ALLOW_ORIGIN, 20, 1),
    R(AGE, 21, 1),
    R(ALLOW, 22, 1),
    R(AUTHORIZATION, 23, 1),
    R(CACHE_CONTROL, 24, 1),
    R(CONTENT_DISPOSITION, 25, 1),
    R(CONTENT_ENCODING, 26, 1),
    R(CONTENT_LANGUAGE, 27, 1),
    R(CONTENT_LENGTH, 28, 1),
    R(CONTENT_LOCATION, 29, 1),
    R(CONTENT_RANGE, 30, 1),
    R(CONTENT_TYPE, 31, 1),
    R(COOKIE, 32, 1),
    R(DATE, 33, 1),
    R(ETAG, 34, 1),
    R(EXPECT, 35, 1),
    R(EXPIRES, 36, 1),
    R(FROM, 37, 1),
    R(HOST, 38, 1),
    R(IF_MATCH, 39, 1),
    R(IF_MODIFIED_SINCE, 40, 1),
    R(IF_NONE_MATCH, 41, 1),
    R(IF_RANGE, 42, 1),
    R(IF_UNMODIFIED_SINCE, 43, 1),
    R(LAST_MODIFIED, 44, 1),
    R(LINK, 45, 1),
    R(LOCATION, 46, 1),
    R(MAX_FORWARDS, 47, 1),
    R(PROXY_AUTHENTICATE, 48, 1),
    R(PROXY_AUTHORIZATION, 49, 1),
    R(RANGE, 50, 1),
    R(REFERER, 51, 1),
    R(REFRESH, 52, 1),
    R(RETRY_AFTER, 53, 1),
    R(SERVER, 54, 1),
    R(SET_COOKIE, 55, 1),
    R(STRICT_TRANSPORT_SECURITY, 56, 1),
    R(TRANSFER_ENCODING, 57, 1),
    R(USER_AGENT, 58, 1),
    R(VARY, 59, 1),
    R(VIA, 60, 1),
    R(WWW_AUTHENTICATE, 61, 1),
};
#undef R

enum { BYTES_MIN = 256, ENTRIES_MIN = 16 };

struct hpack_table *hpack_table_new(void)
{
    struct hpack_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->bytes = malloc(BYTES_MIN + HPACK_TABLE_PAD);
    t->cap = BYTES_MIN;
    t->v = malloc(ENTRIES_MIN * sizeof *t->v);
    t->mask = ENTRIES_MIN - 1;
    if (!t->bytes || !t->v) {
        hpack_table_free(t);
        return NULL;
    }
    return t;
}

void hpack_table_free(struct hpack_table *t)
{
    if (!t)
        return;
    free(t->bytes);
    free(t->v);
    free(t);
}

void hpack_table_shrink(struct hpack_table *t, uint32_t size_max)
{
    while (t->size > size_max) {
        const struct hpack_entry *oldest = hpack_table_entry(t, t->last - t->n + 1);
        t->size -= (uint32_t)oldest->name_n + oldest->value_n + HEADERS_FIELD_OVERHEAD;
        t->n--;
    }
}

static uint32_t oldest_position(const struct hpack_table *t)
{
    return t->n ? hpack_table_entry(t, t->last - t->n + 1)->at : t->tail;
}

/* Room for n more bytes: at half empty or more the living bytes move down, else the block doubles, so that either is
 * rare. */
static enum err make_room(struct hpack_table *t, uint32_t n)
{
    uint32_t from = oldest_position(t), live = t->tail - from;
    uint32_t cap = t->cap;
    while (live + n > cap / 2)
        cap *= 2;
    if (cap > t->cap) {
        char *bytes = realloc(t->bytes, cap + HPACK_TABLE_PAD);
        if (!bytes)
            return ERR_NOMEM;
        t->bytes = bytes;
        t->cap = cap;
    }
    memmove(t->bytes, t->bytes + (from - t->base), live);
    t->base = from;
    return ERR_NONE;
}

/* Twice as many places; entries keep their numbers. */
static enum err grow_entries(struct hpack_table *t)
{
    uint32_t mask = 2 * t->mask + 1;
    struct hpack_entry *v = malloc((mask + 1) * sizeof *v);
    if (!v)
        return ERR_NOMEM;
    for (uint32_t k = t->last - t->n + 1; k != t->last + 1; k++)
        v[k & mask] = t->v[k & t->mask];
    free(t->v);
    t->v = v;
    t->mask = mask;
    return ERR_NONE;
}

enum err hpack_table_insert(struct hpack_table *t, uint32_t size_max, const struct header *f, uint8_t flags)
{
    uint64_t size = (uint64_t)f->name_n + f->value_n + HEADERS_FIELD_OVERHEAD;
    if (size > size_max) {
        hpack_table_shrink(t, 0);
        return ERR_NONE;
    }
    hpack_table_shrink(t, size_max - (uint32_t)size);
    uint32_t name_n = f->token == TOKEN_NONE ? f->name_n : 0, n = name_n + f->value_n;
    if (t->tail - t->base + n > t->cap && make_room(t, n) != ERR_NONE)
        return ERR_NOMEM;
    if (t->n > t->mask && grow_entries(t) != ERR_NONE)
        return ERR_NOMEM;
    char *to = t->bytes + (t->tail - t->base);
    if (name_n > 0)
        memcpy(to, f->name, name_n);
    if (f->value_n > 0)
        memcpy(to + name_n, f->value, f->value_n);
    t->last++;
    t->v[t->last & t->mask] = (struct hpack_entry){.at = t->tail,
                                                   .name_n = (uint16_t)f->name_n,
                                                   .value_n = (uint16_t)f->value_n,
                                                   .token = (uint8_t)f->token,
                                                   .flags = flags};
    t->tail += n;
    t->n++;
    t->size += (uint32_t)size;
    return ERR_NONE;
}
