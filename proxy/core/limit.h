/* Requests in flight and waiting of one scope (a service, or an inbound listener), counted for the whole process. */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include "core/policy.h"

struct limit {
    atomic_uint active;  /* calls admitted and not ended, waiting ones included */
    atomic_uint pending; /* calls waiting for an endpoint */
};

void limit_init(struct limit *l);

/* Admits one call when fewer than p->max_requests are active. Pair each true with limit_leave. */
bool limit_enter(struct limit *l, const struct limits_policy *p);
void limit_leave(struct limit *l);

/* Takes a place in the queue when fewer than p->max_pending wait. Pair each true with limit_unwait. */
bool limit_wait(struct limit *l, const struct limits_policy *p);
void limit_unwait(struct limit *l);

#endif
