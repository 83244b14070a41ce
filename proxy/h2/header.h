/* Header fields as they travel through the proxy: borrowed bytes plus the token of a known name, so that nobody
 * compares names twice. */
#ifndef H2_HEADER_H
#define H2_HEADER_H

#include "base/arena.h"

/* Known names: those that a gRPC proxy meets, then the rest of HPACK's static table. TOKEN_NONE: any other. */
#define TOKEN_LIST(X)                                                                                                  \
    X(AUTHORITY, ":authority")                                                                                         \
    X(METHOD, ":method")                                                                                               \
    X(PATH, ":path")                                                                                                   \
    X(SCHEME, ":scheme")                                                                                               \
    X(STATUS, ":status")                                                                                               \
    X(PROTOCOL, ":protocol")                                                                                           \
    X(HOST, "host")                                                                                                    \
    X(COOKIE, "cookie")                                                                                                \
    X(CONNECTION, "connection")                                                                                        \
    X(KEEP_ALIVE, "keep-alive")                                                                                        \
    X(PROXY_CONNECTION, "proxy-connection")                                                                            \
    X(TRANSFER_ENCODING, "transfer-encoding")                                                                          \
    X(UPGRADE, "upgrade")                                                                                              \
    X(TE, "te")                                                                                                        \
    X(CONTENT_TYPE, "content-type")                                                                                    \
    X(CONTENT_LENGTH, "content-length")                                                                                \
    X(USER_AGENT, "user-agent")                                                                                        \
    X(GRPC_TIMEOUT, "grpc-timeout")                                                                                    \
    X(GRPC_ENCODING, "grpc-encoding")                                                                                  \
    X(GRPC_ACCEPT_ENCODING, "grpc-accept-encoding")                                                                    \
    X(GRPC_STATUS, "grpc-status")                                                                                      \
    X(GRPC_MESSAGE, "grpc-message")                                                                                    \
    X(GRPC_STATUS_DETAILS_BIN, "grpc-status-details-bin")                                                              \
    X(GRPC_PREVIOUS_RPC_ATTEMPTS, "grpc-previous-rpc-attempts")                                                        \
    X(GRPC_RETRY_PUSHBACK_MS, "grpc-retry-pushback-ms")                                                                \
    X(GRPC_TAGS_BIN, "grpc-tags-bin")                                                                                  \
    X(GRPC_TRACE_BIN, "grpc-trace-bin")                                                                                \
    X(TRACEPARENT, "traceparent")                                                                                      \
    X(TRACESTATE, "tracestate")                                                                                        \
    X(X_REQUEST_ID, "x-request-id")                                                                                    \
    X(X_FORWARDED_CLIENT_CERT, "x-forwarded-client-cert")                                                              \
    X(OUTRIGGER_UNPROCESSED, "outrigger-unprocessed")                                                                  \
    X(DATE, "date")                                                                                                    \
    X(SERVER, "server")                                                                                                \
    X(ACCEPT_CHARSET, "accept-charset")                                                                                \
    X(ACCEPT_ENCODING, "accept-encoding")                                                                              \
    X(ACCEPT_LANGUAGE, "accept-language")                                                                              \
    X(ACCEPT_RANGES, "accept-ranges")                                                                                  \
    X(ACCEPT, "accept")                                                                                                \
    X(ACCESS_CONTROL_ALLOW_ORIGIN, "access-control-allow-origin")                                                      \
    X(AGE, "age")                                                                                                      \
    X(ALLOW, "allow")                                                                                                  \
    X(AUTHORIZATION, "authorization")                                                                                  \
    X(CACHE_CONTROL, "cache-control")                                                                                  \
    X(CONTENT_DISPOSITION, "content-disposition")                                                                      \
    X(CONTENT_ENCODING, "content-encoding")                                                                            \
    X(CONTENT_LANGUAGE, "content-language")                                                                            \
    X(CONTENT_LOCATION, "content-location")                                                                            \
    X(CONTENT_RANGE, "content-range")                                                                                  \
    X(ETAG, "etag")                                                                                                    \
    X(EXPECT, "expect")                                                                                                \
    X(EXPIRES, "expires")                                                                                              \
    X(FROM, "from")                                                                                                    \
    X(IF_MATCH, "if-match")                                                                                            \
    X(IF_MODIFIED_SINCE, "if-modified-since")                                                                          \
    X(IF_NONE_MATCH, "if-none-match")                                                                                  \
    X(IF_RANGE, "if-range")                                                                                            \
    X(IF_UNMODIFIED_SINCE, "if-unmodified-since")                                                                      \
    X(LAST_MODIFIED, "last-modified")                                                                                  \
    X(LINK, "link")                                                                                                    \
    X(LOCATION, "location")                                                                                            \
    X(MAX_FORWARDS, "max-forwards")                                                                                    \
    X(PROXY_AUTHENTICATE, "proxy-authenticate")                                                                        \
    X(PROXY_AUTHORIZATION, "proxy-authorization")                                                                      \
    X(RANGE, "range")                                                                                                  \
    X(REFERER, "referer")                                                                                              \
    X(REFRESH, "refresh")                                                                                              \
    X(RETRY_AFTER, "retry-after")                                                                                      \
    X(SET_COOKIE, "set-cookie")                                                                                        \
    X(STRICT_TRANSPORT_SECURITY, "strict-transport-security")                                                          \
    X(VARY, "vary")                                                                                                    \
    X(VIA, "via")                                                                                                      \
    X(WWW_AUTHENTICATE, "www-authenticate")

enum token {
    TOKEN_NONE,
#define X(name, text) TOKEN_##name,
    TOKEN_LIST(X)
#undef X
        TOKEN_COUNT
};

enum {
    HEADER_NO_INDEX = 1,    /* varies from call to call: do not put it into a compression table */
    HEADER_NEVER_INDEX = 2, /* came, and goes on, as a never-indexed literal (RFC 7541 section 6.2.3) */
};

struct header {
    const char *name, *value;
    uint32_t name_n, value_n;
    uint16_t token; /* enum token */
    uint16_t flags;
};

enum { HEADERS_FIELDS_MAX = 100, HEADERS_BYTES_MAX = 16384, HEADERS_FIELD_OVERHEAD = 32 };

/* A header block. The fields' bytes live in some arena or in constants. */
struct headers {
    struct header v[HEADERS_FIELDS_MAX];
    uint32_t n;
    uint32_t bytes; /* name + value + 32 each */
};

/* The token of a lower-case name. */
enum token token_find(const char *name, size_t n);

extern const struct slice TOKEN_NAMES[TOKEN_COUNT];

static inline struct slice token_name(enum token t)
{
    return TOKEN_NAMES[t];
}

/* A field with a known name and a borrowed value. */
struct header header_make(enum token t, struct slice value);

/* The first field with this token, or NULL. */
const struct header *headers_find(const struct headers *h, enum token t);

static inline struct slice header_value(const struct header *h)
{
    return slice_make(h->value, h->value_n);
}

static inline struct slice header_name(const struct header *h)
{
    return slice_make(h->name, h->name_n);
}

/* Appends a field; false when the block has HEADERS_FIELDS_MAX already. */
bool headers_add(struct headers *h, struct header field);

#endif
