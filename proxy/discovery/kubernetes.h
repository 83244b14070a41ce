/* The endpoints of a Kubernetes Service, as a pure machine: answers of the API server in, what to ask next, when, and a
 * set of members out. It asks nobody and knows no clock.
 *
 *             all pages                     the stream ends in order, or was cut after it had worked
 *   LIST ---------------------> WATCH -----------------------------------------------+
 *    ^  \ a page fails            |  ^                                                |
 *    |   +--> LIST, later         |  +------------------------------------------------+
 *    |                            | fails at once: WATCH, later
 *    +----------------------------+ 410 Gone, or what came makes no sense
 *
 * "Later" is 0.8 s, doubling to 30 s, each up to twice as long by chance, and not before Retry-After. Only a list that
 * is whole, or an event, changes the set; whatever fails leaves it (reliability.md E8). */
#ifndef DISCOVERY_KUBERNETES_H
#define DISCOVERY_KUBERNETES_H

#include "base/clock.h"
#include "base/rng.h"
#include "core/member.h"
#include "discovery/endpoint_slice.h"
#include "net/lookup.h"

enum {
    KUBERNETES_BODY_MAX = 4 << 20, /* of a page, and of an event */
    KUBERNETES_PAGE = 20,          /* slices asked for at once; fewer after a page that was too big */
    KUBERNETES_SLICES_MAX = 1000,  /* what is past this, or past ENDPOINT_SLICE_PIECES_MAX in all, is left out */
    KUBERNETES_CONTINUE_MAX = 4095 /* bytes of a continue token */
};

#define KUBERNETES_BACKOFF_MIN_NS (800 * NS_PER_MS)
#define KUBERNETES_BACKOFF_MAX_NS (30 * NS_PER_S)
#define KUBERNETES_RETRY_AFTER_NS (60 * NS_PER_S)   /* more than this is not believed */
#define KUBERNETES_WORKED_NS      (500 * NS_PER_MS) /* a watch that lived so long, or told something, has worked */
#define KUBERNETES_AGAIN_NS       (100 * NS_PER_MS) /* up to so long before it is opened again, or a list after a 410 */

enum kubernetes_want { KUBERNETES_LIST, KUBERNETES_WATCH };

struct kubernetes_slices {
    struct endpoint_slice *v; /* owned */
    size_t n, room;
    size_t pieces;
};

/* Owned by: a source of app/. Borrows: the texts of its query. */
struct kubernetes {
    struct slice_query query;
    enum kubernetes_want want;
    ns_t due;                                /* of the next question */
    struct kubernetes_slices slices, listed; /* in force; of the pages so far */
    char version[ENDPOINT_SLICE_VERSION_MAX + 1];
    char *next; /* continue token of the next page, owned; NULL: the first */
    uint32_t page;
    uint32_t failures; /* in a row */
    enum lookup_status error;
    ns_t asked_at; /* of the question under way */
    bool worked;   /* this watch has told something */
    bool known;    /* there was a whole list */
    bool cut;      /* there was more than the bounds hold */
};

/* Due at once. */
void kubernetes_init(struct kubernetes *k, const struct slice_query *q);
void kubernetes_fini(struct kubernetes *k);

/* The question was asked at `now`. */
void kubernetes_on_asked(struct kubernetes *k, ns_t now);

/* A page came whole. True when the list is complete: the set may have changed. Otherwise it is another page's turn, or
 * the page was bad: failures tells. */
bool kubernetes_on_page(struct kubernetes *k, struct slice body, ns_t now, struct rng *rng);

enum kubernetes_event { KUBERNETES_SAME, KUBERNETES_CHANGED, KUBERNETES_BROKEN };

/* A line of a watch. CHANGED: the set may have. BROKEN: the watch is to be ended, the next question is set. */
enum kubernetes_event kubernetes_on_line(struct kubernetes *k, struct slice line, ns_t now, struct rng *rng);

/* The stream of a watch ended or broke off. */
void kubernetes_on_watch_end(struct kubernetes *k, ns_t now, struct rng *rng);

/* Another status than 200; retry_after_ns 0: not said. */
void kubernetes_on_refused(struct kubernetes *k, unsigned status, ns_t retry_after_ns, ns_t now, struct rng *rng);

/* Why the question under way was answered with that status, in words: which permission is missing, or that it is the
 * token. Before kubernetes_on_refused(), which sets another question. */
void kubernetes_refusal(const struct kubernetes *k, unsigned status, const char *name_space, char *out, size_t size);

/* The question could not be asked, or its answer broke off. */
void kubernetes_on_failed(struct kubernetes *k, enum lookup_status error, ns_t now, struct rng *rng);

/* A page or event was bigger than KUBERNETES_BODY_MAX. */
void kubernetes_on_too_big(struct kubernetes *k, ns_t now, struct rng *rng);

/* The set, in order of address and each address once: ready endpoints; when there is none, those that still serve while
 * they end. A pod with an address of each family counts once, by IPv4. When every one names zones and one names ours,
 * the others have priority 1. Returns an array to free; NULL when memory is out. */
struct member *kubernetes_members(const struct kubernetes *k, size_t *ret_n);

#endif
