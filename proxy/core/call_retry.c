/* gRFC A6: whether an attempt is followed by another one, and when. */
#include "core/call_internal.h"

enum { PUSHBACK_DIGITS_MAX = 10 };

enum call_pushback call_parse_pushback(struct slice value, ns_t *ret_ns)
{
    int64_t ms = 0;
    *ret_ns = 0;
    if (value.n == 0 || value.n > PUSHBACK_DIGITS_MAX)
        return CALL_PUSHBACK_STOP;
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return CALL_PUSHBACK_STOP;
        ms = ms * 10 + (value.p[i] - '0');
    }
    if (ms > INT32_MAX)
        return CALL_PUSHBACK_STOP;
    *ret_ns = ms * NS_PER_MS;
    return CALL_PUSHBACK_AFTER;
}

static uint8_t attempts_max(const struct retry_policy *r)
{
    return r->max_attempts < CALL_RETRIES_MAX ? r->max_attempts : CALL_RETRIES_MAX;
}

static bool is_committed(const struct call *c)
{
    return c->state == CALL_STREAMING || !c->uncommitted;
}

static bool has_attempts_left(const struct call *c, const struct retry_policy *r)
{
    return c->previous + 1 < attempts_max(r) && c->attempts < CALL_ATTEMPTS_MAX;
}

/* min(initial * multiplier^n, max), n waits after the first or the last pushback. */
static double backoff_of(const struct call *c, const struct retry_policy *r)
{
    double wait = (double)r->backoff_initial_ns;
    for (uint8_t i = 0; i < c->backoffs; i++)
        wait *= r->backoff_multiplier;
    return wait < (double)r->backoff_max_ns ? wait : (double)r->backoff_max_ns;
}

/* The wait, which a pushback gives to the millisecond; chance is +-20 % of ours. */
static ns_t next_delay(struct call *c, const struct call_env *env, const struct call_event *event)
{
    if (event && event->pushback == CALL_PUSHBACK_AFTER) {
        c->backoffs = 0;
        return event->pushback_ns;
    }
    double wait = backoff_of(c, env->method->retry) * (0.8 + 0.4 * rng_unit(env->rng));
    c->backoffs++;
    return (ns_t)wait;
}

static bool take_token(const struct call_env *env)
{
    return !env->budget || budget_on_failure(env->budget, env->budget_policy);
}

ns_t call_plan_retry(struct call *c, const struct call_env *env, uint32_t status, const struct call_event *event,
                     ns_t now)
{
    const struct retry_policy *r = env->method->retry;
    bool stop = event && event->pushback == CALL_PUSHBACK_STOP;
    bool on = r && status < STATUS_COUNT && (r->on & STATUS_BIT(status)) != 0;
    if (!r || is_committed(c) || status == STATUS_OK || (!stop && !on))
        return NS_NEVER;
    if (!take_token(env) || stop || !has_attempts_left(c, r))
        return NS_NEVER;
    ns_t at = ns_add(now, next_delay(c, env, event));
    if (at >= c->deadline)
        return NS_NEVER;
    c->previous++;
    return at;
}

bool call_may_hold(const struct call *c, const struct call_env *env, ns_t now)
{
    const struct retry_policy *r = env->method->retry;
    return r && r->hold_headers && c->uncommitted && c->request_ended && c->one_message &&
           env->method->kind != METHOD_STREAMS && has_attempts_left(c, r) &&
           (!env->budget || budget_allows(env->budget, env->budget_policy)) &&
           (double)(c->deadline - now) > 0.8 * backoff_of(c, r);
}
