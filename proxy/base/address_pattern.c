/* Cuts the port off, the rest is a network. */
#include "base/address_pattern.h"

#include <stdio.h>

/* Of "[network]:port" and "network:port", where the network of the second is no IPv6 one. False when there is none. */
static bool cut(struct slice text, struct slice *ret_host, struct slice *ret_port)
{
    size_t from = text.n > 0 && text.p[0] == '[' ? slice_find(text, ']') : 0;
    size_t colon = from < text.n ? from + slice_find(slice_sub(text, from, text.n), ':') : text.n;
    if (colon >= text.n || slice_find(slice_sub(text, colon + 1, text.n), ':') < text.n - colon - 1 ||
        (from > 0 && colon != from + 1))
        return false;
    *ret_host = from > 0 ? slice_sub(text, 1, from) : slice_sub(text, 0, colon);
    *ret_port = slice_sub(text, colon + 1, text.n);
    return true;
}

enum err address_pattern_parse(struct slice text, struct address_pattern *ret, const char **ret_why)
{
    struct slice host = text, port;
    *ret = (struct address_pattern){0};
    *ret_why = "a network, a port or both: 10.0.0.0/8, 10.0.0.7:50051, [fd00::/8]:50051 or *:50051";
    if (cut(text, &host, &port) && !address_parse_port(port, &ret->port))
        return ERR_INVALID;
    ret->any = ret->port > 0 && slice_starts(text, SLICE("*:"));
    if (!ret->any && cidr_parse(host, &ret->network, ret_why) != ERR_NONE)
        return ERR_INVALID;
    *ret_why = NULL;
    return ERR_NONE;
}

bool address_pattern_has(const struct address_pattern *p, const struct address *a)
{
    bool ip = a->kind == ADDRESS_IPV4 || a->kind == ADDRESS_IPV6;
    return ip && (p->port == 0 || p->port == a->port) && (p->any || cidr_has(&p->network, a));
}

const char *address_pattern_format(const struct address_pattern *p, char *out)
{
    char network[CIDR_TEXT_MAX] = "*";
    if (!p->any)
        cidr_format(&p->network, network);
    bool brackets = p->port > 0 && strchr(network, ':');
    int n = snprintf(out, ADDRESS_PATTERN_TEXT_MAX, "%s%s%s", brackets ? "[" : "", network, brackets ? "]" : "");
    if (p->port > 0)
        snprintf(out + n, ADDRESS_PATTERN_TEXT_MAX - (size_t)n, ":%u", p->port);
    return out;
}
