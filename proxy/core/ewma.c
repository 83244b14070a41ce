/* Peak EWMA. The share of failures is kept apart from the latency: one failure in a thousand must not look like an
 * endpoint that is a hundred times slower, and a thousand in a thousand must look like nothing else. */
#include "core/ewma.h"

/* What one outcome weighs in the share of failures. */
#define FAILING_WEIGHT (1.0 / 16)

/* e^-x for x >= 0 as (1 + x/64)^-64: within 1 % for x < 1, never 0, the same on every machine. */
static double decay_of(ns_t since_ns, ns_t decay_ns)
{
    if (since_ns <= 0)
        return 1;
    double d = 1 / (1 + (double)since_ns / (double)decay_ns / 64);
    for (int i = 0; i < 6; i++)
        d *= d;
    return d;
}

static ns_t or_default(ns_t value, ns_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static double initial_ns(const struct balance_options *o)
{
    return (double)or_default(o->ewma_initial_ns, EWMA_INITIAL_NS);
}

static double decay_since(ns_t at, const struct balance_options *o, ns_t now)
{
    return decay_of(now - at, or_default(o->ewma_decay_ns, EWMA_DECAY_NS));
}

void ewma_on_sample(struct ewma *e, const struct balance_options *o, ns_t latency_ns, bool failed, ns_t now)
{
    double sample = (double)latency_ns;
    double old = e->warm ? e->latency_ns : sample;
    double decay = decay_since(e->at, o, now);
    double towards = failed ? 0 : sample; /* how soon it fails tells nothing of how fast it is */
    double forgotten = towards + (old - towards) * decay;
    e->latency_ns = sample > forgotten ? sample : forgotten;
    e->failing = e->failing * decay * (1 - FAILING_WEIGHT) + (failed ? FAILING_WEIGHT : 0);
    e->warm = true;
    e->at = now;
}

void ewma_on_cancel(struct ewma *e, const struct balance_options *o, ns_t latency_ns, ns_t now)
{
    double sample = (double)latency_ns;
    double decay = decay_since(e->at, o, now);
    double known = e->warm ? e->latency_ns * decay : initial_ns(o);
    if (sample <= known)
        return;
    e->latency_ns = sample;
    e->failing *= decay;
    e->warm = true;
    e->at = now;
}

double ewma_expect_ns(const struct ewma *e, const struct balance_options *o, unsigned inflight, ns_t now)
{
    double penalty = (double)or_default(o->failure_counts_ns, EWMA_FAILURE_COUNTS_NS);
    if (!e->warm)
        return inflight == 0 ? 0 : initial_ns(o) + penalty;
    ns_t since = inflight > 0 && e->asked > e->at ? e->asked : e->at;
    return (e->latency_ns + e->failing * penalty) * decay_since(since, o, now);
}
