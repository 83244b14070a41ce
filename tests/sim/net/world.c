/* The clock and the order of events of the simulated world, its random numbers, and the calls that tests schedule. */
#include "inside.h"

#include "net/tls.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>

enum { TURNS_AT_ONE_INSTANT = 200000, DESCRIPTORS = 4096 };
#define START_NS      (1000 * NS_PER_S)
#define START_WALL_NS (1780272000LL * NS_PER_S) /* 2026-06-01 */

struct world world;

ns_t clock_monotonic(void)
{
    return world.now;
}

ns_t clock_wall(void)
{
    return START_WALL_NS + (world.now - START_NS);
}

void world_die(const char *what, int fd)
{
    (void)fprintf(stderr, "world: %s (descriptor %d, time %lld)\n", what, fd, (long long)world.now);
    abort();
}

void world_note(uint64_t a, uint64_t b)
{
    world.trace = (world.trace ^ a) * 0x9e3779b97f4a7c15u;
    world.trace = (world.trace ^ (world.trace >> 29) ^ b) * 0xbf58476d1ce4e5b9u;
}

bool world_chance(unsigned per_mille)
{
    return per_mille > 0 && rng_below(&world.rng, 1000) < per_mille;
}

struct kept {
    struct list node;
    char text[];
};

const char *world_keep(const char *text)
{
    LIST_FOR(node, &world.kept)
        if (strcmp(CONTAINER_OF(node, struct kept, node)->text, text) == 0)
            return CONTAINER_OF(node, struct kept, node)->text;
    struct kept *k = malloc(sizeof *k + strlen(text) + 1);
    if (!k)
        world_die("out of memory", -1);
    memcpy(k->text, text, strlen(text) + 1);
    list_push_back(&world.kept, &k->node);
    return k->text;
}

static int random_bytes(unsigned char *p, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (unsigned char)rng_next(&world.secrets);
    return 1;
}

static int random_status(void)
{
    return 1;
}

static const RAND_METHOD random_method = {.bytes = random_bytes, .pseudorand = random_bytes, .status = random_status};

void world_open(uint64_t seed)
{
    if (world.is_open)
        world_die("a world is open already", -1);
    world = (struct world){.is_open = true, .now = START_NS, .fds_max = DESCRIPTORS, .next_port = 40000};
    rng_init(&world.rng, seed);
    rng_init(&world.secrets, seed ^ 0x5ec2e7);
    list_init(&world.loops);
    list_init(&world.links);
    list_init(&world.calls);
    list_init(&world.kept);
    world.thread = pthread_self();
    world.fds = calloc(WORLD_FDS_MAX, sizeof *world.fds);
    if (!world.fds || RAND_set_rand_method(&random_method) != 1)
        world_die("cannot begin", -1);
    tls_set_wall_clock(clock_wall);
}

void world_close(void)
{
    struct list *node;
    if (!list_is_empty(&world.loops))
        world_die("a loop was not freed", -1);
    sock_end_world();
    outside_end_world();
    while ((node = list_pop(&world.calls)) != NULL)
        free(CONTAINER_OF(node, struct call, node));
    while ((node = list_pop(&world.kept)) != NULL)
        free(CONTAINER_OF(node, struct kept, node));
    free(world.fds);
    free(world.history);
    (void)RAND_set_rand_method(RAND_OpenSSL());
    tls_set_wall_clock(NULL);
    world.is_open = false;
}

struct rng *world_rng(void)
{
    return &world.rng;
}

ns_t world_now(void)
{
    return world.now;
}

void world_at(ns_t at, void (*fn)(void *ctx), void *ctx)
{
    struct call *c = malloc(sizeof *c);
    if (!c)
        world_die("out of memory", -1);
    *c = (struct call){.at = at, .fn = fn, .ctx = ctx};
    struct list *before = world.calls.prev;
    while (before != &world.calls && CONTAINER_OF(before, struct call, node)->at > at)
        before = before->prev;
    list_push_front(before, &c->node);
}

static ns_t next_call(void)
{
    return list_is_empty(&world.calls) ? NS_NEVER : CONTAINER_OF(world.calls.next, struct call, node)->at;
}

/* One thing that happens at this instant: a call, else a turn. */
static bool step_now(void)
{
    sock_deliver();
    if (next_call() <= world.now) {
        struct call *c = CONTAINER_OF(list_pop(&world.calls), struct call, node);
        c->fn(c->ctx);
        free(c);
        return true;
    }
    if (!loop_step())
        return false;
    world.turns++;
    if (++world.turns_now > TURNS_AT_ONE_INSTANT)
        world_die("a loop spins", -1);
    return true;
}

static ns_t next_time(void)
{
    return ns_min(next_call(), ns_min(sock_next(), loop_next()));
}

static void move_to(ns_t at)
{
    if (at <= world.now)
        return;
    world.now = at;
    world.turns_now = 0;
}

bool world_step(void)
{
    if (step_now())
        return true;
    ns_t at = next_time();
    move_to(at == NS_NEVER ? world.now : at);
    return at != NS_NEVER;
}

void world_run_until(ns_t at)
{
    for (;;) {
        if (step_now())
            continue;
        ns_t next = next_time();
        move_to(ns_min(next, at));
        if (next > at)
            return;
    }
}

void world_settle(void)
{
    world_run_until(world.now);
}

uint64_t world_trace(void)
{
    return world.trace;
}

uint64_t world_turns(void)
{
    return world.turns;
}

void world_raise(int number)
{
    loop_raise(number);
}

int world_live_watches(void)
{
    return world.watches;
}
