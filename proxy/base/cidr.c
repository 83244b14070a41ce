/* IPv4 lives in the part of IPv6 that stands for it, so that one comparison serves both. */
#include "base/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>

enum { V4_BITS = 96, ALL_BITS = 128 };

static const uint8_t v4_prefix[V4_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const uint8_t *ip)
{
    return memcmp(ip, v4_prefix, sizeof v4_prefix) == 0;
}

/* Bits counted from the left that are equal in both. */
static bool is_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

static bool parse_ip(struct slice text, uint8_t *ip, unsigned *ret_first)
{
    char copy[INET6_ADDRSTRLEN + 1];
    if (text.n == 0 || text.n >= sizeof copy)
        return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    memcpy(ip, v4_prefix, sizeof v4_prefix);
    *ret_first = V4_BITS;
    if (inet_pton(AF_INET, copy, ip + sizeof v4_prefix) == 1)
        return true;
    *ret_first = 0;
    return inet_pton(AF_INET6, copy, ip) == 1;
}

static bool parse_bits(struct slice text, unsigned max, unsigned *ret)
{
    unsigned v = 0;
    if (text.n == 0 || text.n > 3 || (text.n > 1 && text.p[0] == '0'))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(text.p[i] - '0');
    }
    *ret = v;
    return v <= max;
}

static bool has_more(const uint8_t *ip, unsigned bits)
{
    for (unsigned i = bits; i < ALL_BITS; i++)
        if (ip[i / 8] & (0x80 >> (i % 8)))
            return true;
    return false;
}

enum err cidr_parse(struct slice text, struct cidr *ret, const char **ret_why)
{
    size_t slash = slice_find(text, '/');
    unsigned first, bits = ALL_BITS;
    *ret = (struct cidr){0};
    *ret_why = "a network such as 10.0.0.0/8 or fd00::/8, or one IP address";
    if (!parse_ip(slice_sub(text, 0, slash), ret->ip, &first))
        return ERR_INVALID;
    if (slash < text.n) {
        *ret_why = first ? "a network of at most 32 bits, such as 10.0.0.0/8"
                         : "a network of at most 128 bits, such as fd00::/8";
        if (!parse_bits(slice_sub(text, slash + 1, text.n), ALL_BITS - first, &bits))
            return ERR_INVALID;
        bits += first;
    }
    *ret_why = "a network without bits behind those that count, such as 10.0.0.0/8 in place of 10.1.2.3/8";
    if (has_more(ret->ip, bits))
        return ERR_INVALID;
    ret->bits = (uint8_t)bits;
    *ret_why = NULL;
    return ERR_NONE;
}

static bool of_v4(const struct cidr *c)
{
    return c->bits >= V4_BITS && is_v4(c->ip);
}

bool cidr_has(const struct cidr *c, const struct address *a)
{
    uint8_t ip[16];
    if (a->kind != ADDRESS_IPV4 && a->kind != ADDRESS_IPV6)
        return false;
    memcpy(ip, v4_prefix, sizeof v4_prefix);
    if (a->kind == ADDRESS_IPV4)
        memcpy(ip + sizeof v4_prefix, a->ip, 4);
    else
        memcpy(ip, a->ip, sizeof ip);
    return of_v4(c) == is_v4(ip) && is_equal(c->ip, ip, c->bits);
}

const char *cidr_format(const struct cidr *c, char *out)
{
    char ip[INET6_ADDRSTRLEN];
    bool v4 = of_v4(c);
    (void)inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? c->ip + sizeof v4_prefix : c->ip, ip, sizeof ip);
    if (c->bits == ALL_BITS)
        (void)snprintf(out, CIDR_TEXT_MAX, "%s", ip);
    else
        (void)snprintf(out, CIDR_TEXT_MAX, "%s/%d", ip, c->bits - (v4 ? V4_BITS : 0));
    return out;
}
