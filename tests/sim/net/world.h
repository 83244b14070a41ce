/* A simulated outside: one virtual clock, loops, sockets as pipes in memory, names, files, signals, and faults drawn
 * from a seed. It stands in for net/loop, sock, watch, http, resolve and base/clock; conn, tls and listener run on top
 * unchanged.
 *
 *   world_open(seed) .. loops, sockets, the real app .. world_step() or loop_run() .. world_close()
 *
 * Everything runs on the thread that opened the world: a step runs one turn of one loop that has something to do (drawn
 * when several have), or moves the clock to the next thing that happens. Another thread that calls loop_run only waits
 * for that loop to be stopped. The same seed and the same program give the same world_trace. */
#ifndef TESTS_SIM_NET_WORLD_H
#define TESTS_SIM_NET_WORLD_H

#include "base/address.h"
#include "base/clock.h"
#include "base/rng.h"
#include "net/http.h"
#include "net/lookup.h"

/* Directions of a link. */
enum { WORLD_TO_SERVER = 0, WORLD_TO_CLIENT = 1 };

/* What may happen to connections to an address. Chances are per mille. */
struct world_faults {
    ns_t latency_min, latency_max; /* one way, drawn for each link */
    ns_t jitter_max;               /* drawn for each write on top */
    size_t capacity;               /* bytes a direction holds, sent and not yet read; 0: 256 KiB */
    unsigned refuse;               /* of connects: refused */
    unsigned vanish;               /* of connects: never answered, SYNs are lost */
    unsigned reset;                /* of writes: a part of it arrives, then both sides see a reset */
    unsigned black_hole;           /* of writes: from now on nothing arrives in this direction, and nobody is told */
    unsigned stall;                /* of writes: the direction rests for up to stall_max, then goes on */
    ns_t stall_max;
    bool reset_keeps_input; /* unread input survives a reset, as on Linux; else half of the time it is gone */
    unsigned part_write;    /* of writes: only a part is taken */
    unsigned part_read;     /* of reads: only a part is given */
};

/* Begins a world at monotonic 1000 s and wall 2026-06-01 00:00:00 UTC. OpenSSL's random numbers and the clock of
 * certificates are taken from it, so make certificates after this. */
void world_open(uint64_t seed);

/* Ends it. All loops must be free; sockets that are still open are counted by world_live_sockets before. */
void world_close(void);

/* Random numbers of this world, for the test's own choices. */
struct rng *world_rng(void);

/* One step; false when nothing will ever happen by itself. Aborts when a loop spins without end at one instant. */
bool world_step(void);

/* Steps over everything that happens up to and at `at`, and leaves the clock there. */
void world_run_until(ns_t at);

/* Steps over everything that happens at this very instant. */
void world_settle(void);

ns_t world_now(void);

/* Runs fn(ctx) at that time, between turns. Same time: in the order given. */
void world_at(ns_t at, void (*fn)(void *ctx), void *ctx);

/* Faults of connections made from now on to `to`; NULL sets those of all addresses that have none of their own. At
 * first none, and no latency. */
void world_set_faults(const struct address *to, const struct world_faults *faults);

/* Descriptors there are (default 4096); past them accept and connect say ERR_LIMIT. */
void world_set_descriptors(int n);

/* What one live or closed link is and did. */
struct world_link {
    uint64_t id; /* 1, 2, 3 .. in the order of connects */
    struct address to;
    uint64_t bytes[2]; /* taken by writes, by direction */
    bool is_connected;
    bool is_open[2]; /* client's and server's descriptor */
};

/* False when there was no such link. The newest is world_links(). */
bool world_link(uint64_t id, struct world_link *ret);
uint64_t world_links(void);

/* Both sides of the link see a reset now. */
void world_reset(uint64_t id);

/* The private memory of the process, as the kernel would tell from now on. */
void world_memory(uint64_t bytes);

/* The direction delivers nothing before `until`; NS_NEVER holds it, 0 lets it go on. */
void world_hold(uint64_t id, int direction, ns_t until);

/* Everything written into any link: called with the bytes just taken. NULL ends it. */
void world_tap(void (*tap)(void *ctx, uint64_t link, int direction, const uint8_t *p, size_t n), void *ctx);

/* Leak checks: descriptors open now (listening ones too), loops, watched descriptors and timers not yet freed. */
int world_live_sockets(void);
int world_live_loops(void);
int world_live_watches(void); /* loop_io, loop_timer and loop_signal objects */

/* A number that depends on every turn, read and write so far with time and bytes. */
uint64_t world_trace(void);
uint64_t world_turns(void);

/* Delivers the signal to every loop that handles it. */
void world_raise(int number);

/* Tells every file watch that something changed. */
void world_touch(void);

/* What resolve_now and a look-up find for a name; n = 0: it is unknown. Copied. A look-up takes 1 ms. */
void world_name(const char *name, const struct address *addresses, size_t n);

/* What a look-up of the name says from now on, with LOOKUP_OK the addresses of world_name for ttl_s; LOOKUP_TIMEOUT
 * takes as long as it may. */
void world_name_says(const char *name, enum lookup_status status, uint32_t ttl_s);

/* Asks the HTTP server on that address as GET; false when there is none. The body becomes the caller's (buf_fini). */
bool world_http_get(const struct address *a, const char *path, const char *query, struct http_answer *ret);

#endif
