/* Shared by the files of the call machine; nobody else includes it. */
#ifndef CORE_CALL_INTERNAL_H
#define CORE_CALL_INTERNAL_H

#include "core/call.h"

/* What the end of an attempt says about its endpoint. */
enum call_verdict {
    CALL_VERDICT_STATUS,  /* what the status says */
    CALL_VERDICT_REFUSED, /* it takes no calls now: no failure for the breaker, but a reason to go elsewhere */
    CALL_VERDICT_NOTHING  /* taken back by us, the caller or the caller's own deadline */
};

static inline bool call_has_attempt(const struct call *c)
{
    return c->candidate != BALANCE_NONE;
}

static inline bool call_is_expired(const struct call *c, ns_t now)
{
    return now >= c->deadline;
}

/* Picks for the next attempt and takes the breaker's place; BALANCE_NONE when nobody has room or may be picked. */
int call_pick(struct call *c, const struct call_env *env, ns_t now);

/* True when breakers have taken out everyone that is connected, and the policy does not try all the same. */
bool call_is_out(const struct call *c, const struct call_env *env, ns_t now);

/* Counts the attempt at a candidate that call_pick gave. The state is the caller's to change. */
void call_open_attempt(struct call *c, const struct call_env *env, int candidate, ns_t now);

/* Counts it no more, and tells the breaker and the latency what came of it. */
void call_close_attempt(struct call *c, const struct call_env *env, enum call_verdict verdict, uint32_t status,
                        ns_t now);

/* The first response message of the attempt, or its headers where the method streams: it has answered. */
void call_on_answer(struct call *c, const struct call_env *env, ns_t now);

/* When the attempt has taken too long to its first message; NS_NEVER when it may. */
ns_t call_try_until(const struct call *c, const struct method_policy *method);

/* An attempt failed with `status`: takes a token, and decides whether another one may follow. Returns when, or
 * NS_NEVER. `event` is the answer, or NULL when there was none. Counts it when true: use the answer. */
ns_t call_plan_retry(struct call *c, const struct call_env *env, uint32_t status, const struct call_event *event,
                     ns_t now);

/* True when an error after these response headers could still be tried again. */
bool call_may_hold(const struct call *c, const struct call_env *env, ns_t now);

#endif
