/* One call with its surroundings, shared by the tests of the call machine. */
#ifndef UNIT_CORE_CALL_FIXTURE_H
#define UNIT_CORE_CALL_FIXTURE_H

#include "core/call.h"

enum { ENDPOINTS = 3, T0 = 1000000 };

struct fixture {
    struct rng rng;
    struct endpoint endpoints[ENDPOINTS];
    struct candidate candidates[ENDPOINTS];
    struct balance balance;
    struct limit limit;
    struct limits_policy limits;
    struct method_policy method;
    struct call call;
    struct call_env env;
    struct call_actions actions;
};

static const struct limits_policy usual_limits = {
    .max_requests = 10, .max_pending = 10, .pending_timeout_ns = NS_PER_S};

/* n endpoints, READY with room, picked in order. */
static inline void setup(struct fixture *f, uint32_t n)
{
    *f = (struct fixture){.limits = usual_limits};
    rng_init(&f->rng, 1);
    for (uint32_t i = 0; i < n; i++) {
        candidate_init(&f->candidates[i], &f->endpoints[i]);
        candidate_on_connected(&f->candidates[i], 0);
        f->candidates[i].room = 10;
    }
    balance_init(&f->balance, BALANCE_PICK_FIRST, f->candidates, n, &f->rng);
    limit_init(&f->limit);
    call_init(&f->call);
    f->call.uncommitted = true;
    f->env = (struct call_env){
        .method = &f->method, .limits = &f->limits, .limit = &f->limit, .balance = &f->balance, .rng = &f->rng};
}

#endif
