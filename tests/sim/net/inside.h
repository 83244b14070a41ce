/* Shared inside of the simulated world: the world object, loops and links. For the files of this folder only. */
#ifndef TESTS_SIM_NET_INSIDE_H
#define TESTS_SIM_NET_INSIDE_H

#include "world.h"

#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"

#include <pthread.h>

enum { WORLD_FDS_MAX = 1 << 16, WORLD_RULES_MAX = 64 };

enum flight_kind { FLIGHT_SYN, FLIGHT_ACCEPTED, FLIGHT_REFUSED, FLIGHT_DATA, FLIGHT_FIN, FLIGHT_RESET };

/* Something on its way to an end. */
struct flight {
    struct list node;
    enum flight_kind kind;
    ns_t at;
    size_t n; /* of DATA */
};

struct link;

/* One side of a link and the direction that leads to it. */
struct end {
    struct link *link;
    int fd; /* -1: closed, or not yet accepted */
    bool is_server;
    struct address local;
    struct buf bytes; /* arrived, and behind that in flight */
    size_t arrived;
    struct list flights;
    ns_t last_at, held_until;
    ns_t dies_at; /* the kernel gives up on a silent peer; NS_NEVER: it does not */
    int reset_errno;
    bool black_hole;
    bool connected, refused, fin, reset, reset_told, fin_sent;
};

struct link {
    struct list node;   /* in world.links */
    struct list queued; /* in a listener's backlog, or alone */
    struct end end[2];  /* client, server */
    struct world_faults faults;
    ns_t latency;
    struct world_link info;
};

struct listening {
    struct address address;
    struct list backlog; /* of links */
};

/* A descriptor: one of the two, or none (free). */
struct descriptor {
    struct end *end;
    struct listening *listening;
};

struct call {
    struct list node;
    ns_t at;
    void (*fn)(void *ctx);
    void *ctx;
};

struct rule {
    struct address to;
    struct world_faults faults;
};

struct world {
    bool is_open;
    struct rng rng;
    struct rng secrets; /* OpenSSL's */
    ns_t now;
    struct list loops, links, calls;
    struct descriptor *fds;
    int fds_max, fds_open;
    struct world_faults faults;
    struct rule rules[WORLD_RULES_MAX];
    size_t rules_n;
    uint64_t links_made, trace, turns, turns_now;
    struct world_link *history; /* by id - 1 */
    size_t history_cap;
    void (*tap)(void *ctx, uint64_t link, int direction, const uint8_t *p, size_t n);
    void *tap_ctx;
    uint16_t next_port;
    struct list kept; /* texts */
    int watches;
    pthread_t thread;
};

extern struct world world;

/* Mixes a fact into the trace. */
void world_note(uint64_t a, uint64_t b);

/* True with a chance of `per_mille`. */
bool world_chance(unsigned per_mille);

/* A copy of the text that lives as long as the world; the same text gives the same copy. */
const char *world_keep(const char *text);

/* Stops the test with a message: the program used the world wrongly. */
_Noreturn void world_die(const char *what, int fd);

/* sock.c: deliveries up to now; the time of the next one; readiness of a descriptor (LOOP_READ | LOOP_WRITE); clean-up.
 */
void sock_deliver(void);
ns_t sock_next(void);
unsigned sock_ready(int fd);
void sock_end_world(void);

/* loop.c: runs a turn of one loop with something to do; the time of the next timer; tells loops about a signal. */
bool loop_step(void);
ns_t loop_next(void);
void loop_raise(int number);

/* outside.c: forgets names, watches and servers. */
void outside_end_world(void);

#endif
