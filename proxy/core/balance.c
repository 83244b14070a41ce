/* The ways to pick. Each looks only at candidates that are READY with room, and that their share lets in. */
#include "core/balance.h"

enum { PROBES = 4 };

void balance_init(struct balance *b, enum balance_kind kind, struct candidate *candidates, uint32_t n, struct rng *rng)
{
    *b = (struct balance){.kind = kind, .candidates = candidates, .n = n};
    if (kind == BALANCE_ROUND_ROBIN && n > 1)
        b->cursor = (uint32_t)rng_below(rng, n); /* workers and sidecars must not start in step */
    balance_on_candidates(b);
}

void balance_on_candidates(struct balance *b)
{
    b->tiered = b->weighted = false;
    for (uint32_t i = 1; i < b->n; i++) {
        b->tiered |= b->candidates[i].rank.priority != b->candidates[0].rank.priority;
        b->weighted |= b->candidates[i].rank.weight != b->candidates[0].rank.weight;
    }
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

#define SLOW_START_MIN 0.1

/* One pick under way. */
struct pick {
    const struct balance *b;
    const struct balance_query *q;
    struct rng *rng;
    bool plain;    /* nothing can take a share away */
    bool bold;     /* shares count no more: nobody else was there, or one has failed already */
    uint32_t tier; /* of a tiered set: the priority that takes part */
};

static double breaker_share_of(const struct pick *p, uint32_t i)
{
    const struct breaker_view *v = p->q->breaker;
    return v ? breaker_view_share(v, p->b->candidates[i].endpoint, p->q->now) : 1;
}

static double warmth_of(const struct pick *p, uint32_t i)
{
    ns_t window = p->b->options.slow_start_ns, age = p->q->now - p->b->candidates[i].ready_at;
    if (window == 0 || age >= window)
        return 1;
    double share = (double)age / (double)window;
    return share > SLOW_START_MIN ? share : SLOW_START_MIN;
}

/* Of the traffic that this candidate would get; 0: out. */
static double share_of(const struct pick *p, uint32_t i)
{
    return breaker_share_of(p, i) * warmth_of(p, i);
}

static bool is_eligible(const struct pick *p, uint32_t i)
{
    if (!has_room(&p->b->candidates[i]))
        return false;
    if (p->plain)
        return true;
    if (p->b->tiered && p->b->candidates[i].rank.priority != p->tier)
        return false;
    double share = share_of(p, i);
    return share >= 1 || (share > 0 && (p->bold || rng_unit(p->rng) < share));
}

static bool is_fresh(const struct pick *p, uint32_t i)
{
    return is_eligible(p, i) && !was_tried(p->q->tried, i);
}

static unsigned inflight_of(const struct candidate *c)
{
    return atomic_load_explicit(&c->endpoint->inflight, memory_order_relaxed);
}

static double weighed_cost(const struct pick *p, uint32_t i)
{
    const struct candidate *c = &p->b->candidates[i];
    double share = p->plain ? 1 : share_of(p, i);
    double load = share > 0 && share < 1 ? inflight_of(c) / share : inflight_of(c);
    if (p->b->kind != BALANCE_PEAK_EWMA)
        return load;
    return ewma_expect_ns(&c->ewma, &p->b->options, c->inflight, p->q->now) * (load + 1);
}

/* What a call costs there, in the unit of the kind: calls in flight, or nanoseconds. */
static inline double cost_of(const struct pick *p, uint32_t i)
{
    bool simple = p->plain && p->b->kind != BALANCE_PEAK_EWMA;
    return simple ? inflight_of(&p->b->candidates[i]) : weighed_cost(p, i);
}

/* The first one in a circle from `from`, a fresh one before a tried one. */
static int pick_from(const struct pick *p, uint32_t from)
{
    int second = BALANCE_NONE;
    for (uint32_t k = 0, i = from; k < p->b->n; k++, i = i + 1 == p->b->n ? 0 : i + 1) {
        if (!is_eligible(p, i))
            continue;
        if (!was_tried(p->q->tried, i))
            return (int)i;
        if (second == BALANCE_NONE)
            second = (int)i;
    }
    return second;
}

static int pick_first(struct balance *b, const struct pick *p)
{
    if (is_fresh(p, b->cursor))
        return (int)b->cursor;
    int i = pick_from(p, 0);
    if (i != BALANCE_NONE)
        b->cursor = (uint32_t)i;
    return i;
}

static int pick_round_robin(struct balance *b, const struct pick *p)
{
    int i = pick_from(p, b->cursor);
    if (i != BALANCE_NONE)
        b->cursor = ((uint32_t)i + 1) % b->n;
    return i;
}

/* Uniform over the fresh ones, else over the tried ones; one pass, each k-th one replaces the choice with chance 1/k.
 */
static int scan_random(const struct pick *p)
{
    int best = BALANCE_NONE;
    bool best_fresh = false;
    uint32_t same = 0;
    for (uint32_t i = 0; i < p->b->n; i++) {
        if (!is_eligible(p, i))
            continue;
        bool fresh = !was_tried(p->q->tried, i);
        if (best_fresh && !fresh)
            continue;
        if (fresh != best_fresh)
            same = 0;
        best_fresh = fresh;
        if (++same == 1 || rng_below(p->rng, same) == 0)
            best = (int)i;
    }
    return best;
}

static int pick_random(const struct pick *p)
{
    for (int k = 0; p->b->n > BALANCE_SCAN_MAX && k < PROBES; k++) {
        uint32_t i = (uint32_t)rng_below(p->rng, p->b->n);
        if (is_fresh(p, i))
            return (int)i;
    }
    return scan_random(p);
}

/* The cheapest of the fresh ones, else of the tried ones; ties by chance. */
static int scan_least(const struct pick *p)
{
    int best = BALANCE_NONE;
    bool best_fresh = false;
    double best_cost = 0;
    uint32_t same = 0;
    for (uint32_t i = 0; i < p->b->n; i++) {
        if (!is_eligible(p, i))
            continue;
        bool fresh = !was_tried(p->q->tried, i);
        double cost = cost_of(p, i);
        bool worse = fresh == best_fresh ? cost > best_cost : best_fresh;
        if (best != BALANCE_NONE && worse)
            continue;
        if (best == BALANCE_NONE || fresh != best_fresh || cost < best_cost)
            same = 0;
        if (++same == 1 || rng_below(p->rng, same) == 0)
            best = (int)i;
        best_fresh = fresh;
        best_cost = cost;
    }
    return best;
}

/* Power of two choices: the cheaper of two distinct random ones. */
static int pick_two(const struct pick *p)
{
    uint32_t n = p->b->n;
    for (int k = 0; k < PROBES; k++) {
        uint32_t i = (uint32_t)rng_below(p->rng, n);
        uint32_t j = (uint32_t)rng_below(p->rng, n - 1);
        j += j >= i;
        bool i_ok = is_fresh(p, i), j_ok = is_fresh(p, j);
        if (i_ok && j_ok)
            return (int)(cost_of(p, j) < cost_of(p, i) ? j : i);
    }
    return scan_least(p);
}

/* One by weight, a fresh one before a tried one: each takes the place of the choice with the chance that its weight has
 * in the sum so far. */
static int draw(const struct pick *p)
{
    int best = BALANCE_NONE;
    bool best_fresh = false;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < p->b->n; i++) {
        if (!is_eligible(p, i))
            continue;
        bool fresh = !was_tried(p->q->tried, i);
        if (best_fresh && !fresh)
            continue;
        if (fresh != best_fresh)
            sum = 0;
        best_fresh = fresh;
        sum += p->b->candidates[i].rank.weight;
        if (rng_below(p->rng, sum) < p->b->candidates[i].rank.weight)
            best = (int)i;
    }
    return best;
}

static double weighted_cost(const struct pick *p, int i)
{
    double cost = weighed_cost(p, (uint32_t)i);
    return p->b->kind == BALANCE_PEAK_EWMA ? cost : cost / p->b->candidates[i].rank.weight;
}

static int pick_weighted(struct balance *b, const struct pick *p)
{
    int i = draw(p), j;
    switch (b->kind) {
    case BALANCE_PICK_FIRST:
        return pick_first(b, p);
    case BALANCE_ROUND_ROBIN:
    case BALANCE_RANDOM:
        return i;
    case BALANCE_LEAST_REQUEST:
    case BALANCE_PEAK_EWMA:
        j = draw(p);
        return i != BALANCE_NONE && j != BALANCE_NONE && weighted_cost(p, j) < weighted_cost(p, i) ? j : i;
    }
    return BALANCE_NONE;
}

static int pick_by_kind(struct balance *b, const struct pick *p)
{
    if (b->weighted)
        return pick_weighted(b, p);
    switch (b->kind) {
    case BALANCE_PICK_FIRST:
        return pick_first(b, p);
    case BALANCE_ROUND_ROBIN:
        return pick_round_robin(b, p);
    case BALANCE_RANDOM:
        return pick_random(p);
    case BALANCE_LEAST_REQUEST:
    case BALANCE_PEAK_EWMA:
        return b->n > BALANCE_SCAN_MAX ? pick_two(p) : scan_least(p);
    }
    return BALANCE_NONE;
}

/* A candidate whose breaker wants a probe, a fresh one before a tried one; of a big set a part is looked at. */
static int find_probe(const struct pick *p)
{
    const struct balance *b = p->b;
    bool big = b->n > BALANCE_SCAN_MAX && !p->bold;
    int second = BALANCE_NONE;
    uint32_t from = big ? (uint32_t)rng_below(p->rng, b->n) : 0;
    for (uint32_t k = 0; k < (big ? BALANCE_SCAN_MAX : b->n); k++) {
        uint32_t i = (from + k) % b->n;
        if (!has_room(&b->candidates[i]) || (b->tiered && b->candidates[i].rank.priority > p->tier) ||
            !breaker_view_wants_probe(p->q->breaker, b->candidates[i].endpoint, p->q->now))
            continue;
        if (!was_tried(p->q->tried, i))
            return (int)i;
        second = (int)i;
    }
    return second;
}

/* Nobody by chance: whoever may at all, then whoever may as a probe. */
static int pick_boldly(struct balance *b, struct pick *p)
{
    p->bold = true;
    int i = p->plain ? BALANCE_NONE : pick_by_kind(b, p);
    return i == BALANCE_NONE && p->q->breaker ? find_probe(p) : i;
}

/* No breaker has anything to say, as far as a short look tells. */
static bool is_calm(const struct balance *b, const struct breaker_view *v)
{
    if (!v)
        return true;
    bool calm = b->n <= BALANCE_SCAN_MAX;
    for (uint32_t i = 0; calm && i < b->n; i++)
        calm = breaker_view_is_calm(v, b->candidates[i].endpoint);
    return calm;
}

static bool is_out(const struct candidate *c, const struct balance_query *q)
{
    return q->breaker && breaker_view_share(q->breaker, c->endpoint, q->now) <= 0 &&
           !breaker_view_wants_probe(q->breaker, c->endpoint, q->now);
}

/* The lowest priority at which somebody is healthy, or healthy and fresh; UINT32_MAX when nobody is. */
static uint32_t find_tier(const struct pick *p, bool fresh)
{
    uint32_t tier = UINT32_MAX;
    for (uint32_t i = 0; i < p->b->n; i++) {
        const struct candidate *c = &p->b->candidates[i];
        if (c->rank.priority < tier && c->state == CANDIDATE_READY && !is_out(c, p->q) &&
            !(fresh && was_tried(p->q->tried, i)))
            tier = c->rank.priority;
    }
    return tier;
}

int balance_pick(struct balance *b, const struct balance_query *q, struct rng *rng)
{
    bool calm = is_calm(b, q->breaker);
    struct pick p = {.b = b, .q = q, .rng = rng, .bold = q->tried->n > 0};
    p.plain = calm && b->options.slow_start_ns == 0 && !b->tiered;
    if (b->n == 0)
        return BALANCE_NONE;
    if (b->tiered && (p.tier = find_tier(&p, q->tried->n > 0)) == UINT32_MAX)
        p.tier = find_tier(&p, false);
    int i = !calm && q->tried->n == 0 ? find_probe(&p) : BALANCE_NONE;
    if (i == BALANCE_NONE)
        i = pick_by_kind(b, &p);
    return i == BALANCE_NONE ? pick_boldly(b, &p) : i;
}

static bool is_connectable(const struct candidate *c, ns_t now)
{
    return c->state == CANDIDATE_IDLE || (c->state == CANDIDATE_BACKOFF && now >= c->backoff_until);
}

bool balance_is_all_out(const struct balance *b, const struct balance_query *q)
{
    bool ready = false;
    for (uint32_t i = 0; i < b->n; i++) {
        if (b->candidates[i].state != CANDIDATE_READY)
            continue;
        if (!is_out(&b->candidates[i], q))
            return false;
        ready = true;
    }
    return ready;
}

bool balance_is_hopeful(const struct balance *b, const struct balance_query *q)
{
    for (uint32_t i = 0; i < b->n; i++) {
        const struct candidate *c = &b->candidates[i];
        if ((c->state == CANDIDATE_CONNECTING || is_connectable(c, q->now)) && !is_out(c, q))
            return true;
    }
    return false;
}

/* One that some method is kept from by its breaker needs another one beside it. */
static bool is_busy(const struct candidate *c, ns_t now)
{
    bool troubled = atomic_load_explicit(&c->endpoint->troubled, memory_order_relaxed) > 0;
    if (c->state == CANDIDATE_CONNECTING)
        return now < ns_add(c->connecting_at, BALANCE_STAGGER_NS);
    return has_room(c) && !troubled;
}

/* The lowest priority that is served, or about to be; UINT32_MAX: none. */
static uint32_t served_tier(const struct balance *b)
{
    uint32_t tier = UINT32_MAX;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct candidate *c = &b->candidates[i];
        bool serves =
            c->state == CANDIDATE_READY && atomic_load_explicit(&c->endpoint->troubled, memory_order_relaxed) == 0;
        if (c->rank.priority < tier && (serves || c->state == CANDIDATE_CONNECTING))
            tier = c->rank.priority;
    }
    return tier;
}

int balance_connect(const struct balance *b, ns_t now)
{
    int first = BALANCE_NONE;
    uint32_t tier = b->tiered ? served_tier(b) : UINT32_MAX;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct candidate *c = &b->candidates[i];
        if (b->kind == BALANCE_PICK_FIRST && is_busy(c, now))
            return BALANCE_NONE;
        if (!is_connectable(c, now) || c->rank.priority > tier)
            continue;
        if (first == BALANCE_NONE || c->rank.priority < b->candidates[first].rank.priority)
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

bool balance_has_room(const struct balance *b)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (has_room(&b->candidates[i]))
            return true;
    }
    return false;
}

bool balance_has_untried(const struct balance *b, const struct tried *tried)
{
    for (uint32_t i = 0; i < b->n; i++) {
        if (has_room(&b->candidates[i]) && !was_tried(tried, i))
            return true;
    }
    return false;
}

ns_t balance_next_connect(const struct balance *b, ns_t now)
{
    ns_t next = NS_NEVER;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct candidate *c = &b->candidates[i];
        if (c->state == CANDIDATE_BACKOFF)
            next = ns_min(next, c->backoff_until);
        else if (b->kind == BALANCE_PICK_FIRST && c->state == CANDIDATE_CONNECTING && is_busy(c, now))
            next = ns_min(next, ns_add(c->connecting_at, BALANCE_STAGGER_NS));
    }
    return next;
}
