/* Matches a request against the routes of a listener, in their order. */
#include "core/route.h"

static bool is_port(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return true;
}

struct slice route_host(struct slice authority)
{
    size_t from = 0;
    if (authority.n > 0 && authority.p[0] == '[') {
        from = slice_find(authority, ']');
        if (from == authority.n)
            return authority;
        from++;
    }
    struct slice rest = slice_sub(authority, from, authority.n);
    size_t colon = slice_find(rest, ':');
    if (colon == rest.n || !is_port(slice_sub(rest, colon + 1, rest.n)))
        return authority;
    return slice_sub(authority, 0, from + colon);
}

static bool matches_authority(const struct route *r, struct slice host)
{
    for (size_t i = 0; i < r->authorities_n; i++) {
        const struct authority_pattern *p = &r->authorities[i];
        if (host.n < p->text.n || (!p->prefix && host.n != p->text.n))
            continue;
        if (slice_eq_nocase(slice_sub(host, 0, p->text.n), p->text))
            return true;
    }
    return r->authorities_n == 0;
}

static bool matches_method(const struct route *r, struct slice service, struct slice method)
{
    for (size_t i = 0; i < r->methods_n; i++) {
        const struct method_pattern *p = &r->methods[i];
        if (p->any)
            return true;
        if (service.n > 0 && slice_eq(p->service, service) && (p->method.n == 0 || slice_eq(p->method, method)))
            return true;
    }
    return r->methods_n == 0;
}

static bool has_metadata(const struct route_query *q, const struct metadata_match *m)
{
    struct slice name, value;
    for (size_t i = 0; q->metadata && q->metadata(q->headers, i, &name, &value); i++) {
        if (slice_eq(name, m->name) && slice_eq(value, m->value))
            return true;
    }
    return false;
}

static bool matches_metadata(const struct route *r, const struct route_query *q)
{
    for (size_t i = 0; i < r->metadata_n; i++) {
        if (!has_metadata(q, &r->metadata[i]))
            return false;
    }
    return true;
}

static bool matches_original(const struct route *r, const struct address *original)
{
    for (size_t i = 0; original && i < r->addresses_n; i++) {
        if (address_pattern_has(&r->addresses[i], original))
            return true;
    }
    return r->addresses_n == 0;
}

const struct route *route_find(const struct route *routes, size_t n, const struct route_query *q)
{
    struct slice host = route_host(q->authority);
    struct slice service = {NULL, 0}, method = {NULL, 0};
    policy_split_path(q->path, &service, &method);
    for (size_t i = 0; i < n; i++) {
        const struct route *r = &routes[i];
        if (matches_authority(r, host) && matches_method(r, service, method) && matches_original(r, q->original) &&
            matches_metadata(r, q))
            return r;
    }
    return NULL;
}

const struct service_conf *route_pick(const struct route *r, struct rng *rng)
{
    if (r->targets_n == 1)
        return r->targets[0].service;
    uint64_t at = rng_below(rng, r->weight_sum);
    size_t i = 0;
    while (at >= r->targets[i].weight)
        at -= r->targets[i++].weight;
    return r->targets[i].service;
}
