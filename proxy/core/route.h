/* Finds the service of a request: first match wins (configuration contract, "Routes"). */
#ifndef CORE_ROUTE_H
#define CORE_ROUTE_H

#include "base/rng.h"
#include "core/policy.h"

/* What a route looks at. `metadata` returns the i-th (name, value) of the request, false past the end. */
struct route_query {
    struct slice authority; /* as sent, case and port included */
    struct slice path;
    bool (*metadata)(const void *headers, size_t i, struct slice *ret_name, struct slice *ret_value);
    const void *headers;
    const struct address *original; /* what the connection was going to; NULL: not known */
};

/* The first matching route, or NULL. */
const struct route *route_find(const struct route *routes, size_t n, const struct route_query *q);

/* The service of a route: its only target, or one by weight. */
const struct service_conf *route_pick(const struct route *r, struct rng *rng);

/* Host part of an authority, brackets of IPv6 kept, port dropped; case is left. */
struct slice route_host(struct slice authority);

#endif
