/* Names of header fields and their tokens. */
#include "h2/header.h"

const struct slice TOKEN_NAMES[TOKEN_COUNT] = {
#define X(name, text) [TOKEN_##name] = {text, sizeof(text) - 1},
    TOKEN_LIST(X)
#undef X
};

enum { NAME_MAX = 27, SAME_LENGTH_MAX = 8 };

/* The tokens of each length, the frequent ones first; zeros fill the rows. */
#define T(name) TOKEN_##name
static const uint8_t BY_LENGTH[NAME_MAX + 1][SAME_LENGTH_MAX] = {
    [2] = {T(TE)},
    [3] = {T(AGE), T(VIA)},
    [4] = {T(HOST), T(DATE), T(ETAG), T(FROM), T(LINK), T(VARY)},
    [5] = {T(PATH), T(ALLOW), T(RANGE)},
    [6] = {T(COOKIE), T(SERVER), T(ACCEPT), T(EXPECT)},
    [7] = {T(METHOD), T(SCHEME), T(STATUS), T(UPGRADE), T(EXPIRES), T(REFERER), T(REFRESH)},
    [8] = {T(IF_MATCH), T(IF_RANGE), T(LOCATION)},
    [9] = {T(PROTOCOL)},
    [10] = {T(AUTHORITY), T(USER_AGENT), T(TRACESTATE), T(CONNECTION), T(KEEP_ALIVE), T(SET_COOKIE)},
    [11] = {T(TRACEPARENT), T(GRPC_STATUS), T(RETRY_AFTER)},
    [12] = {T(GRPC_TIMEOUT), T(CONTENT_TYPE), T(GRPC_MESSAGE), T(X_REQUEST_ID), T(MAX_FORWARDS)},
    [13] = {T(GRPC_ENCODING), T(GRPC_TAGS_BIN), T(AUTHORIZATION), T(ACCEPT_RANGES), T(CACHE_CONTROL), T(CONTENT_RANGE),
            T(LAST_MODIFIED), T(IF_NONE_MATCH)},
    [14] = {T(GRPC_TRACE_BIN), T(CONTENT_LENGTH), T(ACCEPT_CHARSET)},
    [15] = {T(ACCEPT_ENCODING), T(ACCEPT_LANGUAGE)},
    [16] = {T(PROXY_CONNECTION), T(CONTENT_ENCODING), T(CONTENT_LANGUAGE), T(CONTENT_LOCATION), T(WWW_AUTHENTICATE)},
    [17] = {T(TRANSFER_ENCODING), T(IF_MODIFIED_SINCE)},
    [18] = {T(PROXY_AUTHENTICATE)},
    [19] = {T(CONTENT_DISPOSITION), T(IF_UNMODIFIED_SINCE), T(PROXY_AUTHORIZATION)},
    [20] = {T(GRPC_ACCEPT_ENCODING)},
    [21] = {T(OUTRIGGER_UNPROCESSED)},
    [22] = {T(GRPC_RETRY_PUSHBACK_MS)},
    [23] = {T(GRPC_STATUS_DETAILS_BIN), T(X_FORWARDED_CLIENT_CERT)},
    [25] = {T(STRICT_TRANSPORT_SECURITY)},
    [26] = {T(GRPC_PREVIOUS_RPC_ATTEMPTS)},
    [27] = {T(ACCESS_CONTROL_ALLOW_ORIGIN)},
};
#undef T

enum token token_find(const char *name, size_t n)
{
    if (n == 0 || n > NAME_MAX)
        return TOKEN_NONE;
    const uint8_t *row = BY_LENGTH[n];
    for (int i = 0; i < SAME_LENGTH_MAX && row[i] != TOKEN_NONE; i++) {
        const char *known = TOKEN_NAMES[row[i]].p;
        if (known[0] == name[0] && known[n - 1] == name[n - 1] && memcmp(known, name, n) == 0)
            return row[i];
    }
    return TOKEN_NONE;
}

struct header header_make(enum token t, struct slice value)
{
    struct slice name = TOKEN_NAMES[t];
    return (struct header){.name = name.p,
                           .value = value.p,
                           .name_n = (uint32_t)name.n,
                           .value_n = (uint32_t)value.n,
                           .token = (uint16_t)t};
}

const struct header *headers_find(const struct headers *h, enum token t)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->v[i].token == t)
            return &h->v[i];
    return NULL;
}

bool headers_add(struct headers *h, struct header field)
{
    if (h->n == HEADERS_FIELDS_MAX)
        return false;
    h->v[h->n++] = field;
    h->bytes += field.name_n + field.value_n + HEADERS_FIELD_OVERHEAD;
    return true;
}
