/* RFC 9113 sections 8.2 and 8.3 on a block of fields whose bytes HPACK has judged already. */
#include "h2/grpc.h"

enum { CONTENT_LENGTH_DIGITS_MAX = 18 };

/* How often each token that may come once was seen. */
struct census {
    uint8_t n[TOKEN_COUNT];
    bool regular; /* a regular field was seen */
};

/* Tokens of which a second one is malformed. */
static const bool ONCE[TOKEN_COUNT] = {
    [TOKEN_AUTHORITY] = true, [TOKEN_METHOD] = true, [TOKEN_PATH] = true,           [TOKEN_SCHEME] = true,
    [TOKEN_STATUS] = true,    [TOKEN_HOST] = true,   [TOKEN_CONTENT_LENGTH] = true,
};

/* What the grammar of RFC 3986 allows in an authority, without user information. */
static const bool AUTHORITY_BYTE[256] = {
    ['!'] = true,         ['$'] = true, ['%'] = true, ['&' ... '.'] = true, ['0' ... ';'] = true, ['='] = true,
    ['A' ... '['] = true, [']'] = true, ['_'] = true, ['a' ... 'z'] = true, ['~'] = true,
};

static bool is_authority(struct slice s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        ok &= AUTHORITY_BYTE[(uint8_t)s.p[i]];
    return ok;
}

static bool is_path(struct slice s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        ok &= s.p[i] > 0x20 && s.p[i] < 0x7f;
    return ok;
}

static bool is_digits(struct slice s)
{
    bool ok = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        ok &= s.p[i] >= '0' && s.p[i] <= '9';
    return ok;
}

static bool is_status(struct slice s)
{
    return s.n == 3 && is_digits(s) && s.p[0] >= '1' && !slice_eq(s, SLICE("101"));
}

static bool check_pseudo(const struct header *f, enum grpc_block kind)
{
    struct slice value = header_value(f);
    if (kind == GRPC_BLOCK_RESPONSE)
        return f->token == TOKEN_STATUS && is_status(value);
    if (kind == GRPC_BLOCK_TRAILERS)
        return false;
    switch (f->token) {
    case TOKEN_METHOD:
        return value.n > 0;
    case TOKEN_PATH:
        return is_path(value);
    case TOKEN_SCHEME:
        return slice_eq(value, SLICE("http")) || slice_eq(value, SLICE("https"));
    case TOKEN_AUTHORITY:
        return is_authority(value);
    default:
        return false;
    }
}

static bool check_regular(const struct header *f, enum grpc_block kind)
{
    struct slice value = header_value(f);
    switch (f->token) {
    case TOKEN_CONNECTION:
    case TOKEN_KEEP_ALIVE:
    case TOKEN_PROXY_CONNECTION:
    case TOKEN_TRANSFER_ENCODING:
    case TOKEN_UPGRADE:
        return false;
    case TOKEN_TE:
        return slice_eq_nocase(value, SLICE("trailers"));
    case TOKEN_CONTENT_LENGTH:
        return kind != GRPC_BLOCK_TRAILERS && is_digits(value) && value.n <= CONTENT_LENGTH_DIGITS_MAX;
    case TOKEN_HOST:
        return kind != GRPC_BLOCK_REQUEST || is_authority(value);
    default:
        return true;
    }
}

static bool check_field(struct census *c, const struct header *f, enum grpc_block kind)
{
    if (ONCE[f->token] && ++c->n[f->token] > 1)
        return false;
    if (f->name_n > 0 && f->name[0] == ':')
        return !c->regular && check_pseudo(f, kind);
    c->regular = true;
    return f->name_n > 0 && check_regular(f, kind);
}

/* CONNECT has neither scheme nor path (RFC 9113 section 8.5). */
static bool is_whole_request(const struct headers *h, const struct census *c)
{
    const struct header *method = headers_find(h, TOKEN_METHOD);
    if (!method)
        return false;
    bool connect = slice_eq(header_value(method), SLICE("CONNECT"));
    if (c->n[TOKEN_SCHEME] == connect || c->n[TOKEN_PATH] == connect)
        return false;
    return c->n[TOKEN_AUTHORITY] || (!connect && c->n[TOKEN_HOST]);
}

enum err grpc_check_block(const struct headers *h, enum grpc_block kind)
{
    struct census c = {0};
    bool ok = true;
    for (uint32_t i = 0; i < h->n && ok; i++)
        ok = check_field(&c, &h->v[i], kind);
    if (ok && kind == GRPC_BLOCK_REQUEST)
        ok = is_whole_request(h, &c);
    if (ok && kind == GRPC_BLOCK_RESPONSE)
        ok = c.n[TOKEN_STATUS] == 1;
    return ok ? ERR_NONE : ERR_PROTOCOL;
}
