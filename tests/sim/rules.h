/* The policy of a run: drawn from its seed and written as YAML. */
#ifndef TESTS_SIM_RULES_H
#define TESTS_SIM_RULES_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdio.h>

/* What callers call: what descriptors know (unsafe, idempotent, idempotent and streaming), what nobody knows, what the
 * policy lists as idempotent, and one whose retry is written on the method. */
enum target { TARGET_CHARGE, TARGET_GET, TARGET_WATCH, TARGET_CALL, TARGET_READ, TARGET_OWN, TARGETS };

/* Times in milliseconds, shares in percent. */
struct rules {
    unsigned attempts; /* 0: no retry */
    unsigned on;       /* which list of statuses */
    unsigned initial, longest, multiplier, per_try, buffer;
    bool holds;
    unsigned tokens, ratio_milli; /* 0 tokens: no budget */
    bool breaks;
    unsigned scope, in_a_row, failure_share, slow_share, slow_after, window, min_requests;
    unsigned open, open_most, jitter, probes, ramp, open_share;
    bool tries;
    unsigned timeout; /* 0: none */
    unsigned requests, pending, pending_timeout, connections;
};

/* Draws all. */
void rules_init(struct rules *r, struct rng *rng);

/* Without retries and timeouts, as the guard of a service behind another sidecar. */
void rules_init_guard(struct rules *r, struct rng *rng);

/* The mapping of `policies` named `name`. */
void rules_write(const struct rules *r, const char *name, unsigned idle_s, FILE *f);

/* "/pkg.Service/Method". */
const char *target_path(enum target t);

/* How often an application may be handed a call of it under these rules. */
unsigned rules_executions(const struct rules *r, enum target t);

#endif
