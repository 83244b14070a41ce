/* One circuit breaker as a pure machine: results in, a share of the traffic out. It knows neither endpoints nor calls;
 * core/breaker_set keeps one of them for each endpoint and method and applies max_open. */
#ifndef CORE_BREAKER_H
#define CORE_BREAKER_H

#include "base/rng.h"
#include "core/policy.h"

/*
 *             a rule is met                 the wait is over, a call starts
 *   CLOSED ------------------> OPEN <------------------------------------+
 *     ^  ^                     |  ^                                      |
 *     |  |                     |  | a probe failed, the wait grows       |
 *     |  |                     v  |                                      |
 *     |  |                   HALF_OPEN                                   |
 *     |  | ramp: 0             |                                         |
 *     |  +---------------------+ `probes` successes in a row             |
 *     |                        v                                         |
 *     +---------------------- RAMPING -----------------------------------+
 *        the ramp is over              a rule is met
 *
 * States in which it waits: OPEN for its time; HALF_OPEN for its probes; RAMPING for its time. Each entry but the one
 * from RAMPING to CLOSED begins a new generation, with empty counts; results of an older generation are ignored. */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_RAMPING };

enum { BREAKER_BUCKETS = 10 };

/* Counts of the last window_ns, exact to a tenth of it. */
struct breaker_window {
    struct {
        uint32_t calls, hits;
    } buckets[BREAKER_BUCKETS];
    uint32_t calls, hits; /* sums of the buckets */
    uint32_t at;          /* the newest bucket */
    ns_t begins;          /* of the newest bucket */
    ns_t bucket_ns;       /* 0: never used */
};

struct breaker {
    enum breaker_state state;
    uint32_t generation;
    uint32_t consecutive; /* failures in a row */
    uint32_t probes;      /* HALF_OPEN: in flight */
    uint32_t passed;      /* HALF_OPEN: successes in a row */
    uint32_t openings;    /* in a row: how often the wait has grown */
    uint32_t opened;      /* ever */
    bool held;            /* a rule is met, but max_open keeps it in */
    ns_t since;           /* when the state began */
    ns_t until;           /* OPEN: when the first probe may start */
    ns_t wait_ns;         /* of the last opening, as it was before chance */
    struct breaker_window failures, slow;
};

/* What one attempt remembers from its start to its result. */
struct breaker_ticket {
    uint32_t generation;
    bool probe;
};

enum breaker_outcome {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_EXCLUDED /* says nothing about the endpoint: the caller's cancel or own deadline, a local refusal */
};

/* Zeroes it: CLOSED. */
void breaker_init(struct breaker *b);

/* The share of the traffic that may go there, in [0, 1]; 0 unless CLOSED or RAMPING. */
double breaker_share(const struct breaker *b, const struct breaker_policy *p, ns_t now);

/* True when a call may start as a probe: the wait is over, and fewer than p->probes are in flight. */
bool breaker_wants_probe(const struct breaker *b, const struct breaker_policy *p, ns_t now);

/* An attempt starts. False when it may not: OPEN, or all probes are in flight. */
bool breaker_on_start(struct breaker *b, const struct breaker_policy *p, ns_t now, struct breaker_ticket *ret);

/* An attempt starts there although it may not (when_all_open: try): its result does not count. */
struct breaker_ticket breaker_on_forced_start(const struct breaker *b);

/* The result of an attempt after latency_ns. Returns true when a rule is met and the breaker is in: then the caller
 * decides between breaker_open and breaker_hold. A failed probe opens again without asking. */
bool breaker_on_result(struct breaker *b, const struct breaker_policy *p, struct breaker_ticket ticket,
                       enum breaker_outcome outcome, ns_t latency_ns, ns_t now, struct rng *rng);

/* Opens: the wait is base the first time and grows with each opening, until it has stayed in for as long as the last
 * wait after the ramp. */
void breaker_open(struct breaker *b, const struct breaker_policy *p, ns_t now, struct rng *rng);

/* Stays in although a rule is met: max_open. The next result asks again. */
void breaker_hold(struct breaker *b);

/* True while the breaker takes its endpoint out. */
static inline bool breaker_is_out(const struct breaker *b)
{
    return b->state == BREAKER_OPEN || b->state == BREAKER_HALF_OPEN;
}

/* "closed", "open", "half_open", "ramping". */
const char *breaker_state_name(enum breaker_state state);

#endif
