/* Judging blocks and fields of gRPC. */
#include "h2/grpc.h"

bool grpc_is_content_type(struct slice value)
{
    const struct slice base = SLICE("application/grpc");
    if (value.n < base.n || strncasecmp(value.p, base.p, base.n) != 0)
        return false;
    return value.n == base.n || value.p[base.n] == '+' || value.p[base.n] == ';';
}

static bool is_dots(struct slice segment)
{
    return slice_eq(segment, SLICE(".")) || slice_eq(segment, SLICE(".."));
}

/* Characters with which another reader could see another path: escapes, a query, a fragment, a backslash. */
static bool is_ambiguous(char c)
{
    return c == '%' || c == '?' || c == '#' || c == '\\';
}

/* /service/method, where the service may have slashes of its own, but no segment is empty or of dots. */
static bool is_method_path(struct slice path)
{
    size_t segments = 0, start = 1;
    if (path.n == 0 || path.p[0] != '/')
        return false;
    for (size_t i = 1; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/') {
            if (is_ambiguous(path.p[i]))
                return false;
            continue;
        }
        struct slice segment = slice_sub(path, start, i);
        if (segment.n == 0 || is_dots(segment))
            return false;
        segments++;
        start = i + 1;
    }
    return segments >= 2;
}

static struct slice value_of(const struct headers *h, enum token t)
{
    const struct header *f = headers_find(h, t);
    return f ? header_value(f) : (struct slice){"", 0};
}

enum grpc_request grpc_judge_request(const struct headers *h)
{
    if (!slice_eq(value_of(h, TOKEN_METHOD), SLICE("POST")))
        return GRPC_REQUEST_BAD_METHOD;
    if (!grpc_is_content_type(value_of(h, TOKEN_CONTENT_TYPE)))
        return GRPC_REQUEST_BAD_CONTENT_TYPE;
    return is_method_path(value_of(h, TOKEN_PATH)) ? GRPC_REQUEST_OK : GRPC_REQUEST_BAD_PATH;
}

static bool is_own(const struct header *h)
{
    const struct slice own = SLICE("outrigger-");
    return h->token == TOKEN_OUTRIGGER_UNPROCESSED || (h->token == TOKEN_NONE && slice_starts(header_name(h), own));
}

bool grpc_passes(const struct header *h, bool request)
{
    switch (h->token) {
    case TOKEN_CONNECTION:
    case TOKEN_KEEP_ALIVE:
    case TOKEN_PROXY_CONNECTION:
    case TOKEN_TRANSFER_ENCODING:
    case TOKEN_UPGRADE:
        return false;
    case TOKEN_HOST:
    case TOKEN_X_FORWARDED_CLIENT_CERT:
        return !request;
    case TOKEN_TE:
        return request;
    default:
        return !is_own(h);
    }
}
