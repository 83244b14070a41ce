/* The endpoints that a DNS name stands for, as a pure machine: answers in, a set of addresses and the time of the next
 * question out. It asks nobody and knows no clock.
 *
 * A good answer replaces the set; what fails, or is empty, or says that there is no such name, keeps the last good set
 * for ever (reliability.md E7). A family that fails beside a good one keeps its part. Endpoints of a family that cannot
 * be reached from here are endpoints in backoff like any other: calls go to those that can. */
#ifndef DISCOVERY_DNS_H
#define DISCOVERY_DNS_H

#include "base/address.h"
#include "base/rng.h"
#include "net/lookup.h"

enum { DNS_ADDRESSES_MAX = 1000 };

#define DNS_TTL_MIN_NS           NS_PER_S /* at most one question a second, TTL 0 or not */
#define DNS_TTL_MAX_NS           (300 * NS_PER_S)
#define DNS_JITTER_MAX_NS        (500 * NS_PER_MS) /* a tenth of the wait, at most this: after the TTL, never before it */
#define DNS_BACKOFF_MIN_NS       NS_PER_S          /* doubles with each failure in a row */
#define DNS_BACKOFF_MAX_NS       (30 * NS_PER_S)
#define DNS_FIRST_BACKOFF_MAX_NS (5 * NS_PER_S) /* while there has been no good answer at all */

struct dns_part {
    struct address *v; /* ascending, each once */
    size_t n;
};

/* Owned by: a source of app/. */
struct dns {
    struct address *v; /* the set: families take turns, IPv6 first; owned */
    size_t n;
    struct dns_part parts[LOOKUP_FAMILIES]; /* last good of each family; owned */
    ns_t due;                               /* of the next question */
    ns_t good_at;                           /* NS_NEVER: no good answer yet */
    uint32_t failures;                      /* in a row */
    enum lookup_status error;               /* of the last answer; LOOKUP_OK when nothing of it failed */
    bool cut;                               /* there were more than DNS_ADDRESSES_MAX */
    uint64_t updates;                       /* good answers so far */
    uint64_t changes;                       /* of the set */
    uint64_t failed[LOOKUP_STATUS_COUNT];   /* answers without an address, by status */
};

/* Empty, due at once. */
void dns_init(struct dns *d);
void dns_fini(struct dns *d);

/* Takes an answer that came at `now` and sets `due`. True when the set changed; the same addresses in another order are
 * no change. When memory is out nothing changes and it counts as a failure. */
bool dns_on_answer(struct dns *d, const struct lookup_answer *answer, ns_t now, struct rng *rng);

/* An endpoint is not where it was said to be: asks again a second after the last good answer, whatever its TTL. While
 * answers fail this changes nothing. */
void dns_on_doubt(struct dns *d, ns_t now, struct rng *rng);

/* Nobody could be asked at `now`: a failure. */
void dns_on_failure(struct dns *d, enum lookup_status status, ns_t now, struct rng *rng);

#endif
