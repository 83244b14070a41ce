/* Says what a configuration makes of one call: listener, route, service, endpoints, policy, every value with the place
 * it comes from, the plan of attempts, and why something is off. Uses the same route and policy lookups as the data
 * path. */
#ifndef CONF_EXPLAIN_H
#define CONF_EXPLAIN_H

#include "core/policy.h"

/* Metadata the call is meant to carry. */
struct explain_metadata {
    struct slice name, value; /* name in lower case */
};

enum { EXPLAIN_METADATA_MAX = 32, EXPLAIN_PLAN_MAX = 16, EXPLAIN_ATTEMPTS_MAX = 5 };

struct explain_query {
    bool inbound;                   /* calls to the service that is guarded, in place of calls from it */
    const char *path;               /* "/pkg.Service/Method" */
    const char *authority;          /* NULL: the listener's own address, as clients send that dial it */
    const struct address *original; /* where the captured connection was going to; NULL: not told */
    const char *identity;           /* whom the caller proves to be; NULL: not told */
    ns_t timeout_ns;                /* the caller's grpc-timeout; NS_NEVER: none */
    struct explain_metadata metadata[EXPLAIN_METADATA_MAX];
    size_t metadata_n;
};

/* One value. Texts are never NULL. */
struct explain_row {
    const char *key, *value;
    const char *from; /* FILE:LINE, "default" or "caller"; "" when it has no origin of its own */
    const char *why;  /* why it is off, or what to know; "" for nothing */
};

enum { EXPLAIN_ROWS_MAX = 48 };

/* When an attempt may start, counted from the start of the call. NS_NEVER: nothing but the deadline says. */
struct explain_attempt {
    ns_t earliest_ns, latest_ns;
};

/* A service the route may lead to: one, or as many as the split has. */
struct explain_target {
    const struct service_conf *service;
    uint32_t weight;
    uint64_t weight_sum;
    struct explain_row rows[EXPLAIN_ROWS_MAX];
    size_t rows_n;
    const char *endpoints;                                 /* separated by spaces */
    struct explain_attempt attempts[EXPLAIN_ATTEMPTS_MAX]; /* those there is time for */
    size_t attempts_n;
    const char *plan[EXPLAIN_PLAN_MAX];
    size_t plan_n;
};

/* Why a route did not take the call. */
struct explain_miss {
    const char *route; /* FILE:LINE */
    const char *why;
};

struct explain_listener {
    const struct listener_conf *listener;
    struct explain_row rows[EXPLAIN_ROWS_MAX];
    size_t rows_n;
    const struct route *route; /* NULL: none matches */
    struct explain_target *targets;
    size_t targets_n;
    struct explain_miss *misses; /* routes before the one that matched */
    size_t misses_n;
};

/* Owned by: the caller; all texts live in its arena or in the snapshot. */
struct explanation {
    struct arena arena;
    struct explain_listener *listeners; /* those of the direction */
    size_t listeners_n;
};

void explain_call(struct explanation *e, const struct snapshot *s, const struct explain_query *q);
void explanation_fini(struct explanation *e);

#endif
