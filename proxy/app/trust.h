/* How long a connection trusts its peer: it says goodbye some time before the peer's certificates end and is cut when
 * they do, and its peer is verified again when what we trust has changed. Also counts and tells who is refused. */
#ifndef APP_TRUST_H
#define APP_TRUST_H

#include "base/refusal.h"
#include "base/wheel.h"
#include "core/stats.h"

struct link;
struct worker;

/* Goodbye comes this long before the end, or in the last quarter of what was left when the connection opened; up to a
 * quarter earlier by chance, so that not all go at once. */
#define TRUST_LEAD_NS (30 * NS_PER_S)
/* The wall clock is looked at again this often, as somebody may set it. */
#define TRUST_LOOK_NS (60 * NS_PER_S)
/* After the goodbye because of a peer that is not trusted any more, and because of a revoked one. */
#define TRUST_DISTRUST_NS (30 * NS_PER_S)
#define TRUST_REVOKED_NS  (1 * NS_PER_S)

enum { TRUST_CHECKS_A_TURN = 16, TRUST_LINES_A_SECOND = 10 };

/* Part of struct link. */
struct trust {
    struct timer timer;
    ns_t lead;
    ns_t cut_at; /* it is cut then, by the clock of the loop; NS_NEVER: nothing but the certificates ends it */
    bool leaving;
};

/* Part of struct worker. */
struct trust_state {
    struct timer recheck;
    ns_t lines_since;
    uint32_t lines; /* written since then */
};

void trust_init(struct link *l);
void trust_fini(struct link *l);

/* The link has opened: its peer is verified, if it has to be. */
void trust_on_open(struct link *l);

/* What identities trust has changed: verifies the peers of this worker's connections again, some a turn. */
void trust_recheck(struct worker *w);
void trust_state_init(struct worker *w);

/* A handshake failed. `where`: the listener or the endpoint. */
void trust_on_refused(struct worker *w, counter_t *counters, enum refusal r, const char *where, const char *why);

#endif
