/* One endpoint of a service: what the whole process knows (shared), and what one worker knows about its own
 * connections to it (candidate). Pure state; app/upstream keeps it true. */
#ifndef CORE_ENDPOINT_H
#define CORE_ENDPOINT_H

#include "base/address.h"
#include "base/clock.h"
#include "base/rng.h"
#include "core/ewma.h"
#include "core/member.h"

#include <stdatomic.h>

struct breaker;

/* Owned by: all who hold a reference: services of the process, upstreams of the workers. An address of a service keeps
 * its endpoint while the set around it changes. */
struct endpoint {
    struct address address;
    char text[ADDRESS_TEXT_MAX]; /* printed form of the address */
    atomic_uint inflight;        /* attempts in flight, all workers */
    atomic_uint connections;     /* open or opening, all workers */
    atomic_uint refs;
    atomic_uint troubled;      /* breakers of it that are not closed: while 0 nobody needs to look */
    struct breaker **breakers; /* by index of the service's breaker_set, which locks them; NULL: never used */
    uint32_t breakers_n;
};

/*
 *            connect                 connected, SETTINGS seen
 *   IDLE ---------------> CONNECTING -----------------------> READY
 *    ^  ^                     | failed                          | last connection lost or draining
 *    |  +-- backoff over --- BACKOFF <------------------------- (failed) / IDLE (closed in order)
 */
enum candidate_state { CANDIDATE_IDLE, CANDIDATE_CONNECTING, CANDIDATE_READY, CANDIDATE_BACKOFF };

/* Owned by: a worker's upstream. Borrows: the endpoint. */
struct candidate {
    struct endpoint *endpoint;
    struct rank rank;
    enum candidate_state state;
    uint32_t room;      /* streams that can be opened now on this worker's connections; 0 unless READY */
    uint32_t inflight;  /* attempts of this worker */
    uint32_t failures;  /* consecutive failed connects */
    ns_t backoff_until; /* BACKOFF: no connect before it; READY: no further connection before it */
    ns_t ready_at;      /* READY: since when; slow start counts from it */
    ns_t connecting_at; /* CONNECTING: since when */
    struct ewma ewma;   /* of attempts of this worker */
};

/* Copies the address; a name in it is borrowed. One reference. */
void endpoint_init(struct endpoint *e, const struct address *address);

/* Frees what hangs on it; endpoint_unref does it too. */
void endpoint_fini(struct endpoint *e);

/* On the heap, with a copy of the name too, freed with its last reference; NULL when memory is out. */
struct endpoint *endpoint_new(const struct address *address);
struct endpoint *endpoint_ref(struct endpoint *e);
void endpoint_unref(struct endpoint *e); /* only of endpoint_new; any thread */

/* The wait after `failures` consecutive failed connects: 100 ms doubling to 60 s, jitter 0.5 (uniform in [0.5, 1.5)
 * of it, capped at 60 s). 0 after none. */
ns_t endpoint_backoff(uint32_t failures, struct rng *rng);

/* Rank 1, 0. */
void candidate_init(struct candidate *c, struct endpoint *e);

/* A connection is being made. */
void candidate_on_connecting(struct candidate *c, ns_t now);

/* A connection can carry calls: READY, and the failures are forgotten. The first one begins the slow start, and what
 * was known of the latency is forgotten: whoever answers now may be another process. */
void candidate_on_connected(struct candidate *c, ns_t now);

/* One connect failed at `now`: counts it and sets backoff_until; BACKOFF, unless another connection is READY. */
void candidate_on_connect_failed(struct candidate *c, ns_t now, struct rng *rng);

/* BACKOFF whose time is over becomes IDLE. */
void candidate_tick(struct candidate *c, ns_t now);

#endif
