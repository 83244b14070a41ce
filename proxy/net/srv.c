/* Walks the answer section of a DNS message. */
#include "net/srv.h"

#include <ares.h>
#include <stdlib.h>

enum { HEADER_BYTES = 12, RECORD_BYTES = 10, SRV_BYTES = 6, TYPE_CNAME = 5, TYPE_SRV = 33 };

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* A name at `at`, expanded into out (SRV_HOST_MAX + 1 bytes) when not NULL. Its length in the message, 0 when wrong. */
static size_t name_at(struct slice m, size_t at, char *out)
{
    char *name = NULL;
    long n = 0;
    if (at >= m.n || ares_expand_name((const unsigned char *)m.p + at, (const unsigned char *)m.p, (int)m.n, &name,
                                      &n) != ARES_SUCCESS)
        return 0;
    size_t length = strlen(name);
    if (out && length < SRV_HOST_MAX) {
        memcpy(out, name, length);
        out[length] = '.';
        out[length + 1] = '\0';
    } else if (out) {
        n = 0;
    }
    ares_free_string(name);
    return (size_t)n;
}

static int compare(const void *left, const void *right)
{
    const struct srv_record *a = left, *b = right;
    if (a->priority != b->priority)
        return a->priority < b->priority ? -1 : 1;
    int by_host = strcmp(a->host, b->host);
    return by_host ? by_host : (int)a->port - (int)b->port;
}

static bool is_among(const struct srv_record *v, size_t n, const struct srv_record *r)
{
    for (size_t i = 0; i < n; i++)
        if (v[i].port == r->port && strcmp(v[i].host, r->host) == 0)
            return true;
    return false;
}

/* Of those with one host and port the first stays, the one with the least priority. */
static size_t drop_twice(struct srv_record *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_among(v, kept, &v[i]))
            v[kept++] = v[i];
    return kept;
}

/* False when the record is broken. */
static bool take(struct slice m, size_t at, uint16_t bytes, struct srv_record *ret, size_t *ret_n)
{
    const uint8_t *p = (const uint8_t *)m.p + at;
    struct srv_record r;
    if (bytes <= SRV_BYTES || name_at(m, at + SRV_BYTES, r.host) == 0)
        return false;
    r.priority = get16(p);
    r.weight = get16(p + 2);
    r.port = get16(p + 4);
    if (*ret_n < SRV_RECORDS_MAX && r.port > 0 && strcmp(r.host, ".") != 0)
        ret[(*ret_n)++] = r;
    return true;
}

/* Behind the questions; 0 when they are broken. */
static size_t skip_questions(struct slice m)
{
    size_t at = HEADER_BYTES;
    for (uint16_t left = get16((const uint8_t *)m.p + 4); left > 0; left--) {
        size_t n = name_at(m, at, NULL);
        if (n == 0)
            return 0;
        at += n + 4;
    }
    return at;
}

bool srv_parse(struct slice reply, struct srv_record *ret, size_t *ret_n, uint32_t *ret_ttl_s)
{
    const uint8_t *p = (const uint8_t *)reply.p;
    *ret_n = 0;
    *ret_ttl_s = UINT32_MAX;
    size_t at = reply.n >= HEADER_BYTES ? skip_questions(reply) : 0;
    if (at == 0)
        return false;
    for (uint16_t left = get16(p + 6); left > 0; left--) {
        size_t n = name_at(reply, at, NULL);
        if (n == 0 || at + n + RECORD_BYTES > reply.n)
            return false;
        at += n;
        uint16_t type = get16(p + at), bytes = get16(p + at + 8);
        uint32_t ttl = get32(p + at + 4);
        at += RECORD_BYTES;
        if (at + bytes > reply.n || (type == TYPE_SRV && !take(reply, at, bytes, ret, ret_n)))
            return false;
        if ((type == TYPE_SRV || type == TYPE_CNAME) && ttl < *ret_ttl_s)
            *ret_ttl_s = ttl;
        at += bytes;
    }
    qsort(ret, *ret_n, sizeof *ret, compare);
    *ret_n = drop_twice(ret, *ret_n);
    return true;
}
