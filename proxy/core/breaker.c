/* The breaker machine: windows of counts, the rules over them, and the entries to its states. */
#include "core/breaker.h"

#include <assert.h>

/* A share that begins at nothing could never show that it is well. */
#define SHARE_MIN 0.001

static void window_clear(struct breaker_window *w, ns_t bucket_ns, ns_t now)
{
    *w = (struct breaker_window){.begins = now, .bucket_ns = bucket_ns};
}

static void window_turn(struct breaker_window *w)
{
    w->at = w->at + 1 == BREAKER_BUCKETS ? 0 : w->at + 1;
    w->calls -= w->buckets[w->at].calls;
    w->hits -= w->buckets[w->at].hits;
    w->buckets[w->at].calls = w->buckets[w->at].hits = 0;
    w->begins += w->bucket_ns;
}

static void window_advance(struct breaker_window *w, ns_t window_ns, ns_t now)
{
    ns_t bucket_ns = window_ns < BREAKER_BUCKETS ? 1 : window_ns / BREAKER_BUCKETS;
    if (w->bucket_ns != bucket_ns || now - w->begins >= bucket_ns * BREAKER_BUCKETS)
        window_clear(w, bucket_ns, now);
    while (now - w->begins >= bucket_ns)
        window_turn(w);
}

/* Counts one call; true when the rule over the window is met. */
static bool window_add(struct breaker_window *w, const struct breaker_rate *rule, bool hit, ns_t now)
{
    if (rule->threshold <= 0)
        return false;
    window_advance(w, rule->window_ns, now);
    w->buckets[w->at].calls++;
    w->buckets[w->at].hits += hit;
    w->calls++;
    w->hits += hit;
    return w->calls >= rule->min_requests && w->hits >= rule->threshold * w->calls;
}

void breaker_init(struct breaker *b)
{
    *b = (struct breaker){.state = BREAKER_CLOSED};
}

/* Every change of the state but the end of a ramp: a new generation, with empty counts. */
static void enter(struct breaker *b, enum breaker_state to, ns_t now)
{
    static const unsigned successors[] = {
        [BREAKER_CLOSED] = 1u << BREAKER_OPEN,
        [BREAKER_OPEN] = 1u << BREAKER_HALF_OPEN,
        [BREAKER_HALF_OPEN] = 1u << BREAKER_OPEN | 1u << BREAKER_CLOSED | 1u << BREAKER_RAMPING,
        [BREAKER_RAMPING] = 1u << BREAKER_OPEN,
    };
    assert(successors[b->state] & 1u << to);
    b->state = to;
    b->since = now;
    b->generation++;
    b->consecutive = b->probes = b->passed = 0;
    b->held = false;
    b->failures.bucket_ns = b->slow.bucket_ns = 0;
}

/* The ramp ends by itself; the counts go on. */
static void settle(struct breaker *b, const struct breaker_policy *p, ns_t now)
{
    if (b->state == BREAKER_RAMPING && now - b->since >= p->ramp_ns)
        b->state = BREAKER_CLOSED;
}

double breaker_share(const struct breaker *b, const struct breaker_policy *p, ns_t now)
{
    switch (b->state) {
    case BREAKER_CLOSED:
        return 1;
    case BREAKER_OPEN:
    case BREAKER_HALF_OPEN:
        return 0;
    case BREAKER_RAMPING:
        break;
    }
    if (now - b->since >= p->ramp_ns)
        return 1;
    double share = (double)(now - b->since) / (double)p->ramp_ns;
    return share > SHARE_MIN ? share : SHARE_MIN;
}

bool breaker_wants_probe(const struct breaker *b, const struct breaker_policy *p, ns_t now)
{
    return b->state == BREAKER_OPEN ? now >= b->until : b->state == BREAKER_HALF_OPEN && b->probes < p->probes;
}

struct breaker_ticket breaker_on_forced_start(const struct breaker *b)
{
    return (struct breaker_ticket){.generation = b->generation - 1};
}

bool breaker_on_start(struct breaker *b, const struct breaker_policy *p, ns_t now, struct breaker_ticket *ret)
{
    settle(b, p, now);
    bool probe = breaker_is_out(b);
    if (probe && !breaker_wants_probe(b, p, now))
        return false;
    if (b->state == BREAKER_OPEN)
        enter(b, BREAKER_HALF_OPEN, now);
    if (probe)
        b->probes++;
    *ret = (struct breaker_ticket){.generation = b->generation, .probe = probe};
    return true;
}

/* base * multiplier^openings, at most max. */
static ns_t next_wait(const struct breaker *b, const struct breaker_policy *p)
{
    double wait = (double)p->open_base_ns;
    for (uint32_t i = 0; i < b->openings && wait < (double)p->open_max_ns; i++)
        wait *= p->open_multiplier > 1 ? p->open_multiplier : 1;
    return wait < (double)p->open_max_ns ? (ns_t)wait : p->open_max_ns;
}

void breaker_open(struct breaker *b, const struct breaker_policy *p, ns_t now, struct rng *rng)
{
    bool was_out = b->state == BREAKER_HALF_OPEN;
    if (!was_out && now - b->since >= ns_add(p->ramp_ns, b->wait_ns))
        b->openings = 0;
    enter(b, BREAKER_OPEN, now);
    b->wait_ns = next_wait(b, p);
    if (b->openings < UINT32_MAX)
        b->openings++;
    b->opened++;
    double chance = 1 + p->open_jitter * (2 * rng_unit(rng) - 1);
    b->until = ns_add(now, ns_min((ns_t)((double)b->wait_ns * chance), p->open_max_ns));
}

void breaker_hold(struct breaker *b)
{
    b->held = true;
}

static void on_probe(struct breaker *b, const struct breaker_policy *p, bool bad, ns_t now, struct rng *rng)
{
    if (bad)
        breaker_open(b, p, now, rng);
    else if (++b->passed >= p->probes)
        enter(b, p->ramp_ns > 0 ? BREAKER_RAMPING : BREAKER_CLOSED, now);
}

bool breaker_on_result(struct breaker *b, const struct breaker_policy *p, struct breaker_ticket ticket,
                       enum breaker_outcome outcome, ns_t latency_ns, ns_t now, struct rng *rng)
{
    if (ticket.generation != b->generation)
        return false;
    if (ticket.probe)
        b->probes--;
    if (outcome == BREAKER_EXCLUDED)
        return false;
    bool failed = outcome == BREAKER_FAILURE;
    bool slow = p->slow_calls.threshold > 0 && latency_ns > p->slow_ns;
    if (b->state == BREAKER_HALF_OPEN) {
        on_probe(b, p, failed || slow, now, rng);
        return false;
    }
    settle(b, p, now);
    b->consecutive = failed ? b->consecutive + 1 : 0;
    bool met = p->consecutive_failures > 0 && b->consecutive >= p->consecutive_failures;
    met |= window_add(&b->failures, &p->failure_rate, failed, now);
    met |= window_add(&b->slow, &p->slow_calls, slow, now);
    if (b->held)
        b->held = met;
    return met;
}

const char *breaker_state_name(enum breaker_state state)
{
    switch (state) {
    case BREAKER_CLOSED:
        return "closed";
    case BREAKER_OPEN:
        return "open";
    case BREAKER_HALF_OPEN:
        return "half_open";
    case BREAKER_RAMPING:
        return "ramping";
    }
    return "";
}
