/* The breakers of one service in this process: one for each endpoint and method, each endpoint, or the service. Applies
 * max_open over the endpoints. Bounded: methods that the policy names, plus BREAKER_METHODS_MAX; the rest share one. */
#ifndef CORE_BREAKER_SET_H
#define CORE_BREAKER_SET_H

#include "core/breaker.h"
#include "core/endpoint.h"
#include "core/stats.h"

#include <pthread.h>

enum { BREAKER_METHODS_MAX = 256 };

/* Owned by: the scope of a service, for the life of the process or of the service's name. One lock for all breakers of
 * the service. A lone worker takes it only for what other threads read: names, arrays, and breakers that are not
 * closed. */
struct breaker_set {
    bool shared;
    pthread_mutex_t lock;
    struct breaker service; /* scope: service */
    struct breaker_name *names;
    uint32_t names_n, names_room, unnamed;
};

/* The breakers that one call meets. Borrows: the policy (for as long as the call keeps its snapshot) and the set. */
struct breaker_view {
    const struct breaker_policy *policy; /* NULL: no breaker */
    struct breaker_set *set;
    uint32_t index; /* in endpoint->breakers */
};

/* `shared`: more than one worker. */
void breaker_set_init(struct breaker_set *s, bool shared);
void breaker_set_fini(struct breaker_set *s);

/* What holds for a method under a policy. Remembers the index in the entry. Allocates at the first call of a method. */
struct breaker_view breaker_set_view(struct breaker_set *s, const struct policy *policy, struct method_entry *entry);

/* Makes the breaker of an endpoint that an attempt is about to go to, if it is missing: outside of a step, as it
 * allocates. When memory is out the attempt goes uncounted. */
void breaker_view_prepare(const struct breaker_view *v, struct endpoint *e);

/* True when there is nothing to look at, without the lock: the usual case. False may only mean that nobody knows. */
static inline bool breaker_view_is_calm(const struct breaker_view *v, const struct endpoint *e)
{
    return v->policy->scope != BREAKER_SCOPE_SERVICE && atomic_load_explicit(&e->troubled, memory_order_relaxed) == 0;
}

/* As breaker_share and breaker_wants_probe; a breaker not made yet is closed. */
double breaker_view_share(const struct breaker_view *v, struct endpoint *e, ns_t now);
bool breaker_view_wants_probe(const struct breaker_view *v, struct endpoint *e, ns_t now);

/* As breaker_on_start; false only when another worker took the last place since it was asked. `forced`: goes whatever
 * the state (when_all_open: try). */
bool breaker_view_start(const struct breaker_view *v, struct endpoint *e, bool forced, ns_t now,
                        struct breaker_ticket *ret);

/* The result of an attempt at candidates[i]. When a rule is met it opens, unless max_open of the n candidates are out
 * already while another one is READY and well. */
void breaker_view_result(const struct breaker_view *v, const struct candidate *candidates, uint32_t n, uint32_t i,
                         struct breaker_ticket ticket, enum breaker_outcome outcome, ns_t latency_ns, ns_t now,
                         struct rng *rng);

/* When the first READY candidate takes a probe, counted from now; the base wait when probes are in flight. > 0. */
ns_t breaker_view_retry_after(const struct breaker_view *v, const struct candidate *candidates, uint32_t n, ns_t now);

/* A copy of the breaker; CLOSED when it was never used. A worker's thread. */
struct breaker breaker_view_read(const struct breaker_view *v, struct endpoint *e);

/* What pages show of a breaker. */
struct breaker_fact {
    struct slice method; /* "pkg.Service/Method", "other" for those past the bound, "" for all; lives with the set */
    enum breaker_state state;
    bool held;        /* a rule is met, but max_open keeps it in */
    uint32_t opened;  /* how often, ever */
    ns_t since;       /* when the state began; 0: never left the first one */
    ns_t probe_in_ns; /* OPEN, HALF_OPEN: until a call may start as a probe; NS_NEVER: all are in flight, or none is
                         needed */
};

/* Calls `each`, under the lock, for the breakers that exist and that the policy uses: those of the endpoint, or with a
 * NULL endpoint the one of the service. Any thread that keeps the set and the endpoint alive. */
void breaker_set_each(struct breaker_set *s, const struct breaker_policy *p, const struct endpoint *e, ns_t now,
                      void (*each)(void *ctx, const struct breaker_fact *fact), void *ctx);

#endif
