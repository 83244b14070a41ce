/* The plan of attempts: when each may start, what is tried again, and what is not and why. */
#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "core/call.h"

/* Chance moves a wait by so much either way (gRFC A6). */
#define JITTER 0.2

static void plan(struct explain_target *t, const char *line)
{
    if (t->plan_n < EXPLAIN_PLAN_MAX)
        t->plan[t->plan_n++] = line;
}

/* Where an attempt goes. */
static const char *place_text(struct arena *a, const struct service_conf *s)
{
    if (s->source == ENDPOINTS_DNS || s->source == ENDPOINTS_SRV)
        return "any of the endpoints that DNS tells";
    if (s->source == ENDPOINTS_ORIGINAL)
        return s->source_text;
    if (s->source != ENDPOINTS_STATIC)
        return memory_format(a, "any of the endpoints that %s tells",
                             s->source == ENDPOINTS_FILE ? "the file" : "Kubernetes");
    return s->endpoints_n == 1 ? "the only endpoint" : memory_format(a, "any of %zu endpoints", s->endpoints_n);
}

/* Rounded to whole microseconds, which the wait of a call is not exact to. */
static const char *about(struct arena *a, ns_t ns)
{
    return explain_duration(a, (ns + NS_PER_US / 2) / NS_PER_US * NS_PER_US);
}

/* The wait before the next attempt after n of them, without chance. */
static double backoff(const struct retry_policy *r, size_t n)
{
    double wait = (double)r->backoff_initial_ns;
    for (size_t i = 1; i < n; i++)
        wait *= r->backoff_multiplier;
    return wait < (double)r->backoff_max_ns ? wait : (double)r->backoff_max_ns;
}

/* When an attempt after the last one may start: an attempt fails at once at the earliest, and at the latest when its
 * own time is over. */
static struct explain_attempt next_attempt(const struct retry_policy *r, const struct explain_attempt *last, size_t n)
{
    double wait = backoff(r, n);
    ns_t per_try = r->per_try_timeout_ns ? r->per_try_timeout_ns : NS_NEVER;
    return (struct explain_attempt){ns_add(last->earliest_ns, (ns_t)(wait * (1 - JITTER))),
                                    ns_add(ns_add(last->latest_ns, per_try), (ns_t)(wait * (1 + JITTER)))};
}

static void plan_attempt(struct arena *a, struct explain_target *t, const struct retry_policy *r, ns_t deadline)
{
    size_t n = t->attempts_n;
    struct explain_attempt next = next_attempt(r, &t->attempts[n - 1], n);
    double wait = backoff(r, n);
    if (next.earliest_ns >= deadline) {
        plan(t, memory_format(a, "attempt %zu: never, as it would start at %s at the earliest, and the deadline is %s",
                              n + 1, about(a, next.earliest_ns), explain_duration(a, deadline)));
        return;
    }
    if (next.latest_ns >= deadline)
        next.latest_ns = NS_NEVER;
    t->attempts[t->attempts_n++] = next;
    const char *latest =
        next.latest_ns == NS_NEVER ? "" : memory_format(a, ", at %s at the latest", about(a, next.latest_ns));
    plan(t, memory_format(a, "attempt %zu: %s to %s after attempt %zu failed, so at %s at the earliest%s%s", n + 1,
                          about(a, (ns_t)(wait * (1 - JITTER))), about(a, (ns_t)(wait * (1 + JITTER))), n,
                          about(a, next.earliest_ns), latest,
                          n == 1 && (service_has_source(t->service) || t->service->endpoints_n > 1)
                              ? "; on an endpoint not tried yet, while there is one"
                              : ""));
}

static void plan_first(struct arena *a, struct explain_target *t, const struct retry_policy *r)
{
    const struct service_conf *s = t->service;
    const struct limits_policy *l = &s->policy->limits;
    const char *given_up = r && r->per_try_timeout_ns
                               ? memory_format(a, "; given up as UNAVAILABLE after %s without a response message",
                                               explain_duration(a, r->per_try_timeout_ns))
                               : "";
    t->attempts[t->attempts_n++] = (struct explain_attempt){0, 0};
    plan(t,
         memory_format(a, "attempt 1: at once, %s by %s%s", place_text(a, s), explain_balance(s->balance), given_up));
    plan(t,
         memory_format(a, "when none has room: waits up to %s among at most %u, then UNAVAILABLE, reason NO_ENDPOINT",
                       explain_duration(a, l->pending_timeout_ns), l->max_pending));
}

static void plan_breaker(struct explain_target *t)
{
    const struct breaker_policy *b = t->service->policy->breaker;
    if (b && b->try_when_all_open)
        plan(t, "an endpoint whose breaker is open gets probes only; when all are open they are tried all the same");
    else if (b)
        plan(t,
             "an endpoint whose breaker is open gets probes only; when all are open: UNAVAILABLE, reason BREAKER_OPEN");
}

/* What becomes of an error in the trailers behind response headers. */
static const char *hold_text(struct arena *a, const struct method_policy *m)
{
    if (m->kind == METHOD_STREAMS)
        return "response headers go on at once, as it streams: what fails behind them is final";
    if (!m->retry->hold_headers)
        return "response headers go on at once, as hold_headers is off: what fails behind them is final";
    if (m->kind == METHOD_UNARY)
        return "also when the status comes in trailers behind response headers: these wait, once the request has ended "
               "with "
               "one message";
    return memory_format(
        a,
        "also when the status comes in trailers within %s after response headers: these wait so long, as "
        "nothing says that it streams, once the request has ended with one message",
        explain_duration(a, CALL_HOLD_NS));
}

static void plan_conditions(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    const struct retry_policy *r = m->retry;
    const struct budget_policy *b = &t->service->policy->budget;
    plan(t, memory_format(a,
                          "tried again on %s, as long as no response has begun and at most %s of request are to be "
                          "kept",
                          explain_statuses(a, r->on), explain_size(a, r->buffer_bytes)));
    plan(t, hold_text(a, m));
    plan(t,
         "grpc-retry-pushback-ms of the endpoint takes the place of a wait, and forbids the retry when it is negative");
    if (b->present)
        plan(t, memory_format(a,
                              "only while more than %.10g of %.10g tokens are there: such a failure takes 1, a success "
                              "gives %.10g",
                              b->max_milli / 2e3, b->max_milli / 1e3, b->ratio_milli / 1e3));
}

void explain_plan(struct arena *a, struct explain_target *t, const struct method_policy *m, ns_t deadline_ns)
{
    const struct retry_policy *r = m->retry;
    plan_first(a, t, r);
    for (size_t n = 1; r && n < r->max_attempts && t->attempts_n == n && n < EXPLAIN_ATTEMPTS_MAX; n++)
        plan_attempt(a, t, r, deadline_ns);
    if (r)
        plan_conditions(a, t, m);
    plan_breaker(t);
    plan(t,
         "sent again whatever the policy when it provably never left, or once when it was refused unprocessed; another "
         "endpoint comes first");
    if (m->retry_withheld)
        plan(t, memory_format(a,
                              "any other failure is final: the retry at %s does not reach it, as it is not known to be "
                              "idempotent",
                              explain_from(a, m->retry_place)));
    else
        plan(t, r ? "any other failure is final" : "any other failure is final: no retry and no hedge");
}
