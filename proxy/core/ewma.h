/* The expected latency of an endpoint as one worker sees it: peak EWMA, as in Finagle. A peak is taken at once and
 * forgotten over `decay`; failures count as slow calls, so that fast ones never attract load. Pure. */
#ifndef CORE_EWMA_H
#define CORE_EWMA_H

#include "core/policy.h"

#define EWMA_DECAY_NS          (10 * NS_PER_S)
#define EWMA_INITIAL_NS        (30 * NS_PER_MS) /* guessed where nothing is known */
#define EWMA_FAILURE_COUNTS_NS NS_PER_S

/* All zero: no sample yet. */
struct ewma {
    double latency_ns;
    double failing; /* share of the calls that fail, in [0, 1] */
    ns_t at;        /* when the two held */
    ns_t asked;     /* when the last attempt started */
    bool warm;      /* has had a sample */
};

/* An attempt starts there. */
static inline void ewma_on_start(struct ewma *e, ns_t now)
{
    e->asked = now;
}

/* An attempt took so long and ended well or not. */
void ewma_on_sample(struct ewma *e, const struct balance_options *o, ns_t latency_ns, bool failed, ns_t now);

/* An attempt was taken back after latency_ns without an answer: it would have taken at least that long. */
void ewma_on_cancel(struct ewma *e, const struct balance_options *o, ns_t latency_ns, ns_t now);

/* The latency to expect now, failures weighed in; it decays while there are no samples. `inflight` calls of
 * this worker are there already: one without a sample gets one call at once, and a second one not before the first has
 * ended, while there are others. What a rest has made look fast gets a call too, and is as slow as it was until that
 * has ended, or been forgotten in its turn. */
double ewma_expect_ns(const struct ewma *e, const struct balance_options *o, unsigned inflight, ns_t now);

#endif
