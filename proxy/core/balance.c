/* The four ways to pick. Each looks only at candidates that are READY with room. */
#include "core/balance.h"

enum { PROBES = 4 };

void balance_init(struct balance *b, enum balance_kind kind, struct candidate *candidates, uint32_t n, struct rng *rng)
{
    *b = (struct balance){.kind = kind, .candidates = candidates, .n = n};
    if (kind == BALANCE_ROUND_ROBIN && n > 1)
        b->cursor = (uint32_t)rng_below(rng, n); /* workers and sidecars must not start in step */
}

static bool has_room(const struct candidate *c)
{
    return c->room > 0 && c->state == CANDIDATE_READY;
}

static bool was_tried(const struct tried *tried, uint32_t i)
{
    for (unsigned k = 0; k < tried->n; k++) {
        if (tried->v[k] == i)
            return true;
    }
    return false;
}

static bool is_fresh(const struct balance *b, const struct tried *tried, uint32_t i)
{
    return has_room(&b->candidates[i]) && !was_tried(tried, i);
}

static unsigned load_of(const struct candidate *c)
{
    return atomic_load_explicit(&c->endpoint->inflight, memory_order_relaxed);
}

/* The first one in a circle from `from`, a fresh one before a tried one. */
static int pick_from(const struct balance *b, const struct tried *tried, uint32_t from)
{
    int second = BALANCE_NONE;
    for (uint32_t k = 0, i = from; k < b->n; k++, i = i + 1 == b->n ? 0 : i + 1) {
        if (!has_room(&b->candidates[i]))
            continue;
        if (!was_tried(tried, i))
            return (int)i;
        if (second == BALANCE_NONE)
            second = (int)i;
    }
    return second;
}

static int pick_first(struct balance *b, const struct tried *tried)
{
    if (is_fresh(b, tried, b->cursor))
        return (int)b->cursor;
    int i = pick_from(b, tried, 0);
    if (i != BALANCE_NONE)
        b->cursor = (uint32_t)i;
    return i;
}

static int pick_round_robin(struct balance *b, const struct tried *tried)
{
    int i = pick_from(b, tried, b->cursor);
    if (i != BALANCE_NONE)
        b->cursor = ((uint32_t)i + 1) % b->n;
    return i;
}

/* Uniform over the fresh ones, else over the tried ones; one pass, each k-th one replaces the choice with chance 1/k.
 */
static int scan_random(const struct balance *b, const struct tried *tried, struct rng *rng)
{
    int best = BALANCE_NONE;
    bool best_fresh = false;
    uint32_t same = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!has_room(&b->candidates[i]))
            continue;
        bool fresh = !was_tried(tried, i);
        if (best_fresh && !fresh)
            continue;
        if (fresh != best_fresh)
            same = 0;
        best_fresh = fresh;
        if (++same == 1 || rng_below(rng, same) == 0)
            best = (int)i;
    }
    return best;
}

static int pick_random(const struct balance *b, const struct tried *tried, struct rng *rng)
{
    for (int k = 0; b->n > BALANCE_SCAN_MAX && k < PROBES; k++) {
        uint32_t i = (uint32_t)rng_below(rng, b->n);
        if (is_fresh(b, tried, i))
            return (int)i;
    }
    return scan_random(b, tried, rng);
}

/* The least loaded of the fresh ones, else of the tried ones; ties by chance. */
static int scan_least(const struct balance *b, const struct tried *tried, struct rng *rng)
{
    int best = BALANCE_NONE;
    bool best_fresh = false;
    unsigned best_load = 0;
    uint32_t same = 0;
    for (uint32_t i = 0; i < b->n; i++) {
        if (!has_room(&b->candidates[i]))
            continue;
        bool fresh = !was_tried(tried, i);
        unsigned load = load_of(&b->candidates[i]);
        bool worse = fresh == best_fresh ? load > best_load : best_fresh;
        if (best != BALANCE_NONE && worse)
            continue;
        if (best == BALANCE_NONE || fresh != best_fresh || load < best_load)
            same = 0;
        if (++same == 1 || rng_below(rng, same) == 0)
            best = (int)i;
        best_fresh = fresh;
        best_load = load;
    }
    return best;
}

/* Power of two choices: the less loaded of two distinct random ones. */
static int pick_two(const struct balance *b, const struct tried *tried, struct rng *rng)
{
    for (int k = 0; k < PROBES; k++) {
        uint32_t i = (uint32_t)rng_below(rng, b->n);
        uint32_t j = (uint32_t)rng_below(rng, b->n - 1);
        j += j >= i;
        bool i_ok = is_fresh(b, tried, i), j_ok = is_fresh(b, tried, j);
        if (i_ok && j_ok)
            return (int)(load_of(&b->candidates[j]) < load_of(&b->candidates[i]) ? j : i);
    }
    return scan_least(b, tried, rng);
}

int balance_pick(struct balance *b, const struct tried *tried, struct rng *rng)
{
    if (b->n == 0)
        return BALANCE_NONE;
    switch (b->kind) {
    case BALANCE_PICK_FIRST:
        return pick_first(b, tried);
    case BALANCE_ROUND_ROBIN:
        return pick_round_robin(b, tried);
    case BALANCE_RANDOM:
        return pick_random(b, tried, rng);
    case BALANCE_LEAST_REQUEST:
        return b->n > BALANCE_SCAN_MAX ? pick_two(b, tried, rng) : scan_least(b, tried, rng);
    }
    return BALANCE_NONE;
}

static bool is_connectable(const struct candidate *c, ns_t now)
{
    return c->state == CANDIDATE_IDLE || (c->state == CANDIDATE_BACKOFF && now >= c->backoff_until);
}

static bool is_busy(const struct candidate *c)
{
    return c->state == CANDIDATE_CONNECTING || has_room(c);
}

int balance_connect(const struct balance *b, ns_t now)
{
    int first = BALANCE_NONE;
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->kind == BALANCE_PICK_FIRST && is_busy(&b->candidates[i]))
            return BALANCE_NONE;
        if (first == BALANCE_NONE && is_connectable(&b->candidates[i], now))
            first = (int)i;
    }
    return first;
}

bool balance_is_unreachable(const struct balance *b, ns_t now)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const struct candidate *c = &b->candidates[i];
        if (c->state == CANDIDATE_READY || c->state == CANDIDATE_CONNECTING || is_connectable(c, now))
            return false;
    }
    return true;
}

bool balance_is_connected(const struct balance *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->candidates[i].state == CANDIDATE_READY)
            return true;
    }
    return false;
}

ns_t balance_next_connect(const struct balance *b)
{
    ns_t next = NS_NEVER;
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->candidates[i].state == CANDIDATE_BACKOFF)
            next = ns_min(next, b->candidates[i].backoff_until);
    }
    return next;
}
