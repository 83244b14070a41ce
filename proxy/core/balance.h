/* Picks an endpoint for an attempt among the candidates of one worker. Pure: randomness and time are arguments.
 * n <= 16 is scanned whole, above that power of two choices (performance.md section 5). */
#ifndef CORE_BALANCE_H
#define CORE_BALANCE_H

#include "core/endpoint.h"
#include "core/policy.h"

enum { BALANCE_SCAN_MAX = 16, BALANCE_NONE = -1, BALANCE_TRIED_MAX = 8 };

/* Owned by: a worker's upstream, which also owns the candidates. */
struct balance {
    enum balance_kind kind;
    struct candidate *candidates;
    uint32_t n;
    uint32_t cursor; /* round_robin: where the next scan begins; pick_first: the current one */
};

/* Candidates an attempt of this call was already sent to. */
struct tried {
    uint32_t v[BALANCE_TRIED_MAX];
    uint8_t n;
};

void balance_init(struct balance *b, enum balance_kind kind, struct candidate *candidates, uint32_t n, struct rng *rng);

/* Index of a READY candidate with room, one not tried while there is one, else a tried one; BALANCE_NONE when none has
 * room. least_request compares the process-wide in-flight count and breaks ties by chance. */
int balance_pick(struct balance *b, const struct tried *tried, struct rng *rng);

/* Index of a candidate worth connecting to now (IDLE, or BACKOFF whose time is over), or BALANCE_NONE. pick_first: only
 * the first reachable one in order, and none while another is CONNECTING or READY with room. Others: any idle one. */
int balance_connect(const struct balance *b, ns_t now);

/* True when no candidate is READY or CONNECTING and none may be connected to now: a waiting call cannot be served
 * before the earliest backoff ends. */
bool balance_is_unreachable(const struct balance *b, ns_t now);

/* True when some candidate is READY, with or without room. */
bool balance_is_connected(const struct balance *b);

/* The earliest end of a backoff, NS_NEVER when none. */
ns_t balance_next_connect(const struct balance *b);

#endif
