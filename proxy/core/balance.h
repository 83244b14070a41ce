/* Picks an endpoint for an attempt among the candidates of one worker. Pure: randomness and time are arguments.
 * n <= 16 is scanned whole, above that power of two choices (performance.md section 5). */
#ifndef CORE_BALANCE_H
#define CORE_BALANCE_H

#include "core/breaker_set.h"
#include "core/endpoint.h"
#include "core/policy.h"

enum { BALANCE_SCAN_MAX = 16, BALANCE_NONE = -1, BALANCE_TRIED_MAX = 8 };

/* pick_first: so long the first one has for itself to connect before the next is tried beside it (RFC 8305, "Connection
 * Attempt Delay"; gRFC A61). */
#define BALANCE_STAGGER_NS (250 * NS_PER_MS)

/* Owned by: a worker's upstream, which also owns the candidates. */
struct balance {
    enum balance_kind kind;
    struct balance_options options; /* zero: the defaults */
    struct candidate *candidates;
    uint32_t n;
    uint32_t cursor; /* round_robin: where the next scan begins; pick_first: the current one */
    bool tiered;     /* priorities differ */
    bool weighted;   /* weights differ */
};

/* Candidates an attempt of this call was already sent to. */
struct tried {
    uint32_t v[BALANCE_TRIED_MAX];
    uint8_t n;
};

/* For whom an endpoint is sought. */
struct balance_query {
    const struct tried *tried;
    const struct breaker_view *breaker; /* NULL: none */
    ns_t now;
};

void balance_init(struct balance *b, enum balance_kind kind, struct candidate *candidates, uint32_t n, struct rng *rng);

/* Looks at the ranks of the candidates; to be called whenever the candidates were exchanged. */
void balance_on_candidates(struct balance *b);

/* Index of a READY candidate with room, one not tried while there is one, else a tried one; BALANCE_NONE when none has
 * room. least_request compares the process-wide in-flight count, peak_ewma the expected latency times it, and ties are
 * broken by chance. What its breaker takes out is no candidate; what has come back or is new takes part by chance, as
 * often as its share says, and weighs its load against that share. A first attempt goes where a breaker wants a probe;
 * a later one only when there is nothing else.
 *
 * With priorities only those of the lowest priority take part at which one is READY and not out; for a later attempt
 * one that was not tried, while there is any. With weights an endpoint is drawn by weight; least_request and peak_ewma
 * draw twice and take the one with less load for its weight, or the cheaper one. pick_first knows no weights. */
int balance_pick(struct balance *b, const struct balance_query *q, struct rng *rng);

/* True when breakers have taken out every READY candidate, and one at least is READY. */
bool balance_is_all_out(const struct balance *b, const struct balance_query *q);

/* True when a candidate that no breaker takes out is CONNECTING or may be connected to now. */
bool balance_is_hopeful(const struct balance *b, const struct balance_query *q);

/* Index of a candidate worth connecting to now (IDLE, or BACKOFF whose time is over), or BALANCE_NONE. pick_first: only
 * the first reachable one in order, and none while another is CONNECTING for less than BALANCE_STAGGER_NS, or READY
 * with room and no breaker open. Others: any idle one, and of a higher priority none while one of a lower one is
 * CONNECTING, or READY with no breaker open. */
int balance_connect(const struct balance *b, ns_t now);

/* True when no candidate is READY or CONNECTING and none may be connected to now: a waiting call cannot be served
 * before the earliest backoff ends. */
bool balance_is_unreachable(const struct balance *b, ns_t now);

/* True when some candidate is READY, with or without room. */
bool balance_is_connected(const struct balance *b);

/* True when some candidate is READY with room. */
bool balance_has_room(const struct balance *b);

/* True when one of those is not tried yet. */
bool balance_has_untried(const struct balance *b, const struct tried *tried);

/* When there may be somebody to connect to: the earliest end of a backoff, or, of a pick_first, of a time that one has
 * for itself and that is not over yet. NS_NEVER when none. */
ns_t balance_next_connect(const struct balance *b, ns_t now);

#endif
