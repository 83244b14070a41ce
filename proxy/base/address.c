/* Parses and prints host:port, [v6]:port and unix:PATH. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>

bool address_parse_port(struct slice s, uint16_t *ret)
{
    unsigned v = 0;
    if (s.n == 0 || s.n > 5 || s.p[0] == '0')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(s.p[i] - '0');
    }
    *ret = (uint16_t)v;
    return v <= 65535;
}

static bool is_host_name(struct slice s)
{
    bool letter = false;
    if (s.n == 0 || s.n > 253 || s.p[0] == '-' || s.p[0] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!alpha && !(c >= '0' && c <= '9') && c != '-' && c != '.')
            return false;
        letter |= alpha;
    }
    return letter;
}

static bool parse_ip(int family, struct slice s, uint8_t *ip)
{
    char text[INET6_ADDRSTRLEN];
    if (s.n >= sizeof text || slice_find(s, '\0') < s.n)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return inet_pton(family, text, ip) == 1;
}

bool address_is_ip_text(struct slice host)
{
    uint8_t ip[16];
    if (host.n > 2 && host.p[0] == '[')
        host = slice_sub(host, 1, host.n - 1);
    return parse_ip(AF_INET, host, ip) || parse_ip(AF_INET6, host, ip);
}

static enum err parse_unix(struct slice path, char *copy, struct address *ret)
{
    if (path.n == 0 || path.n > ADDRESS_PATH_MAX || !copy || memchr(path.p, '\0', path.n))
        return ERR_INVALID;
    memcpy(copy, path.p, path.n);
    copy[path.n] = '\0';
    *ret = (struct address){.kind = ADDRESS_UNIX, .name = copy};
    return ERR_NONE;
}

static enum err parse_ipv6(struct slice text, struct address *ret)
{
    size_t close = slice_find(text, ']');
    *ret = (struct address){.kind = ADDRESS_IPV6};
    if (close + 2 > text.n || text.p[close + 1] != ':' || !parse_ip(AF_INET6, slice_sub(text, 1, close), ret->ip) ||
        !address_parse_port(slice_sub(text, close + 2, text.n), &ret->port))
        return ERR_INVALID;
    return ERR_NONE;
}

enum err address_parse(struct slice text, char *copy_name, struct address *ret)
{
    if (slice_starts(text, SLICE("unix:")))
        return parse_unix(slice_sub(text, 5, text.n), copy_name, ret);
    if (text.n > 0 && text.p[0] == '[')
        return parse_ipv6(text, ret);
    size_t colon = slice_find(text, ':');
    struct slice host = slice_sub(text, 0, colon);
    *ret = (struct address){.kind = ADDRESS_IPV4};
    if (colon == text.n || !address_parse_port(slice_sub(text, colon + 1, text.n), &ret->port))
        return ERR_INVALID;
    if (parse_ip(AF_INET, host, ret->ip))
        return ERR_NONE;
    if (!copy_name || !is_host_name(host))
        return ERR_INVALID;
    memcpy(copy_name, host.p, host.n);
    copy_name[host.n] = '\0';
    ret->kind = ADDRESS_NAME;
    ret->name = copy_name;
    return ERR_NONE;
}

bool address_eq(const struct address *a, const struct address *b)
{
    if (a->kind != b->kind || a->port != b->port)
        return false;
    if (a->kind == ADDRESS_UNIX || a->kind == ADDRESS_NAME)
        return strcmp(a->name, b->name) == 0;
    return memcmp(a->ip, b->ip, a->kind == ADDRESS_IPV4 ? 4 : 16) == 0;
}

void address_unmap(struct address *a)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (a->kind != ADDRESS_IPV6 || memcmp(a->ip, prefix, sizeof prefix) != 0)
        return;
    a->kind = ADDRESS_IPV4;
    memmove(a->ip, a->ip + sizeof prefix, 4);
    memset(a->ip + 4, 0, sizeof a->ip - 4);
}

bool address_is_any(const struct address *a)
{
    static const uint8_t zero[16];
    return (a->kind == ADDRESS_IPV4 && memcmp(a->ip, zero, 4) == 0) ||
           (a->kind == ADDRESS_IPV6 && memcmp(a->ip, zero, 16) == 0);
}

bool address_is_loopback(const struct address *a)
{
    static const uint8_t one[16] = {[15] = 1};
    static const uint8_t mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127}; /* ::ffff:127.0.0.0 */
    switch (a->kind) {
    case ADDRESS_IPV4:
        return a->ip[0] == 127;
    case ADDRESS_IPV6:
        return memcmp(a->ip, one, 16) == 0 || memcmp(a->ip, mapped, sizeof mapped) == 0;
    case ADDRESS_UNIX:
        return true;
    case ADDRESS_NAME:
        return strcmp(a->name, "localhost") == 0;
    }
    return false;
}

const char *address_format(const struct address *a, char *out, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "";
    switch (a->kind) {
    case ADDRESS_IPV4:
        inet_ntop(AF_INET, a->ip, ip, sizeof ip);
        snprintf(out, size, "%s:%u", ip, a->port);
        break;
    case ADDRESS_IPV6:
        inet_ntop(AF_INET6, a->ip, ip, sizeof ip);
        snprintf(out, size, "[%s]:%u", ip, a->port);
        break;
    case ADDRESS_UNIX:
        snprintf(out, size, "unix:%s", a->name);
        break;
    case ADDRESS_NAME:
        snprintf(out, size, "%s:%u", a->name, a->port);
        break;
    }
    return out;
}
