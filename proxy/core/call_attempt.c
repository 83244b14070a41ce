/* One attempt of a call: whom it goes to, and what its end tells the breaker and the balancer. */
#include "core/call_internal.h"

/* What counts as a failure in the expected latency, whatever the breaker calls one: none of these did the work. */
#define FAILED                                                                                                         \
    (STATUS_BIT(STATUS_UNAVAILABLE) | STATUS_BIT(STATUS_DEADLINE_EXCEEDED) | STATUS_BIT(STATUS_RESOURCE_EXHAUSTED) |   \
     STATUS_BIT(STATUS_INTERNAL) | STATUS_BIT(STATUS_DATA_LOSS))

static bool is_in(uint32_t set, uint32_t status)
{
    return status < STATUS_COUNT && (set & STATUS_BIT(status)) != 0;
}

/* Remembers the newest BALANCE_TRIED_MAX candidates. */
static void remember(struct tried *tried, uint32_t candidate)
{
    if (tried->n == BALANCE_TRIED_MAX)
        memmove(tried->v, tried->v + 1, sizeof tried->v - sizeof tried->v[0]);
    else
        tried->n++;
    tried->v[tried->n - 1] = candidate;
}

static struct balance_query query_of(const struct call *c, const struct call_env *env, ns_t now)
{
    return (struct balance_query){.tried = &c->tried, .breaker = env->breaker, .now = now};
}

/* Everybody is out and the policy says to try all the same: as if there were no breakers, and uncounted. */
static int pick_forced(struct call *c, const struct call_env *env, ns_t now)
{
    struct balance_query q = query_of(c, env, now);
    if (!env->breaker->policy->try_when_all_open || !balance_is_all_out(env->balance, &q))
        return BALANCE_NONE;
    q.breaker = NULL;
    int i = balance_pick(env->balance, &q, env->rng);
    if (i != BALANCE_NONE)
        breaker_view_start(env->breaker, env->balance->candidates[i].endpoint, true, now, &c->ticket);
    return i;
}

int call_pick(struct call *c, const struct call_env *env, ns_t now)
{
    struct balance_query q = query_of(c, env, now);
    int i = balance_pick(env->balance, &q, env->rng);
    if (!env->breaker)
        return i;
    /* another worker may have taken the probe's place since */
    while (i != BALANCE_NONE &&
           !breaker_view_start(env->breaker, env->balance->candidates[i].endpoint, false, now, &c->ticket))
        i = balance_pick(env->balance, &q, env->rng);
    return i == BALANCE_NONE ? pick_forced(c, env, now) : i;
}

bool call_is_out(const struct call *c, const struct call_env *env, ns_t now)
{
    struct balance_query q = query_of(c, env, now);
    return env->breaker && !env->breaker->policy->try_when_all_open && balance_is_all_out(env->balance, &q);
}

void call_open_attempt(struct call *c, const struct call_env *env, int candidate, ns_t now)
{
    struct candidate *to = &env->balance->candidates[candidate];
    const struct retry_policy *r = env->method->retry;
    to->inflight++;
    atomic_fetch_add_explicit(&to->endpoint->inflight, 1, memory_order_relaxed);
    c->candidate = candidate;
    c->attempts++;
    c->moved = c->attempt_at = now;
    c->answered_at = 0;
    c->judged = false;
    c->wants_data = env->breaker || env->balance->kind == BALANCE_PEAK_EWMA || (r && r->per_try_timeout_ns > 0);
    if (env->balance->kind == BALANCE_PEAK_EWMA)
        ewma_on_start(&to->ewma, now);
    remember(&c->tried, (uint32_t)candidate);
}

/* To the first message, or to the end without one, from when the endpoint had the whole request: what a caller that
 * streams takes to write is not the endpoint's. */
static ns_t latency_of(const struct call *c, ns_t now)
{
    ns_t from = c->request_ended && c->request_ended_at > c->attempt_at ? c->request_ended_at : c->attempt_at;
    ns_t to = c->answered_at > 0 ? c->answered_at : now;
    return to > from ? to - from : 0;
}

static void tell_breaker(struct call *c, const struct call_env *env, enum breaker_outcome outcome, ns_t latency_ns,
                         ns_t now)
{
    if (!c->judged)
        breaker_view_result(env->breaker, env->balance->candidates, env->balance->n, (uint32_t)c->candidate, c->ticket,
                            outcome, latency_ns, now, env->rng);
    c->judged = true;
}

static void tell_latency(struct call *c, const struct call_env *env, enum call_verdict verdict, uint32_t status,
                         ns_t latency_ns, ns_t now)
{
    struct ewma *e = &env->balance->candidates[c->candidate].ewma;
    bool failed = verdict == CALL_VERDICT_REFUSED || is_in(FAILED, status);
    if (verdict == CALL_VERDICT_NOTHING) {
        ewma_on_cancel(e, &env->balance->options, latency_ns, now);
        return;
    }
    if (c->ticket.probe && !failed)
        e->failing = 0; /* well again: from here on the breaker's ramp is the memory */
    ewma_on_sample(e, &env->balance->options, latency_ns, failed, now);
}

static enum breaker_outcome outcome_of(const struct call_env *env, enum call_verdict verdict, uint32_t status)
{
    if (verdict != CALL_VERDICT_STATUS)
        return BREAKER_EXCLUDED;
    return is_in(env->breaker->policy->failures, status) ? BREAKER_FAILURE : BREAKER_SUCCESS;
}

void call_close_attempt(struct call *c, const struct call_env *env, enum call_verdict verdict, uint32_t status,
                        ns_t now)
{
    struct candidate *of = &env->balance->candidates[c->candidate];
    if (env->breaker)
        tell_breaker(c, env, outcome_of(env, verdict, status), latency_of(c, now), now);
    if (env->balance->kind == BALANCE_PEAK_EWMA)
        tell_latency(c, env, verdict, status, latency_of(c, now), now);
    of->inflight--;
    atomic_fetch_sub_explicit(&of->endpoint->inflight, 1, memory_order_relaxed);
    c->candidate = BALANCE_NONE;
    c->wants_data = false;
}

/* A stream may go on for hours: a probe that is answered has passed, and makes room for the next one. */
void call_on_answer(struct call *c, const struct call_env *env, ns_t now)
{
    if (env->breaker && c->ticket.probe)
        tell_breaker(c, env, BREAKER_SUCCESS, latency_of(c, now), now);
}

ns_t call_try_until(const struct call *c, const struct method_policy *method)
{
    const struct retry_policy *r = method->retry;
    bool counts = r && r->per_try_timeout_ns > 0 && call_has_attempt(c) && c->answered_at == 0;
    return counts ? ns_add(c->attempt_at, r->per_try_timeout_ns) : NS_NEVER;
}
