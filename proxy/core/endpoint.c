/* Endpoint and candidate: beginnings, and the backoff after failed connects. */
#include "core/endpoint.h"

#include <stdlib.h>

#define BACKOFF_BASE_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS  (60 * NS_PER_S)

enum { BACKOFF_DOUBLINGS_MAX = 10 }; /* 100 ms * 2^10 is past 60 s */

void endpoint_init(struct endpoint *e, const struct address *address)
{
    e->address = *address;
    address_format(address, e->text, sizeof e->text);
    atomic_init(&e->inflight, 0);
    atomic_init(&e->connections, 0);
    atomic_init(&e->refs, 1);
    atomic_init(&e->troubled, 0);
    e->breakers = NULL;
    e->breakers_n = 0;
}

void endpoint_fini(struct endpoint *e)
{
    for (uint32_t i = 0; i < e->breakers_n; i++)
        free(e->breakers[i]);
    free(e->breakers);
}

struct endpoint *endpoint_new(const struct address *address)
{
    size_t name = address->name ? strlen(address->name) + 1 : 0;
    struct endpoint *e = malloc(sizeof *e + name);
    if (!e)
        return NULL;
    endpoint_init(e, address);
    if (name > 0)
        e->address.name = memcpy(e + 1, address->name, name);
    return e;
}

struct endpoint *endpoint_ref(struct endpoint *e)
{
    atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
    return e;
}

void endpoint_unref(struct endpoint *e)
{
    if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) != 1)
        return;
    endpoint_fini(e);
    free(e);
}

ns_t endpoint_backoff(uint32_t failures, struct rng *rng)
{
    if (failures == 0)
        return 0;
    uint32_t doublings = failures - 1 < BACKOFF_DOUBLINGS_MAX ? failures - 1 : BACKOFF_DOUBLINGS_MAX;
    ns_t wait = ns_min(BACKOFF_BASE_NS << doublings, BACKOFF_MAX_NS);
    ns_t jittered = wait / 2 + (ns_t)rng_below(rng, (uint64_t)wait);
    return ns_min(jittered, BACKOFF_MAX_NS);
}

void candidate_init(struct candidate *c, struct endpoint *e)
{
    *c = (struct candidate){.endpoint = e, .rank = {.weight = 1}, .state = CANDIDATE_IDLE};
}

void candidate_on_connecting(struct candidate *c, ns_t now)
{
    c->connecting_at = now;
}

void candidate_on_connected(struct candidate *c, ns_t now)
{
    if (c->state != CANDIDATE_READY) {
        c->ready_at = now;
        c->ewma = (struct ewma){0};
    }
    c->state = CANDIDATE_READY;
    c->failures = 0;
    c->backoff_until = 0;
}

void candidate_on_connect_failed(struct candidate *c, ns_t now, struct rng *rng)
{
    if (c->failures < UINT32_MAX)
        c->failures++;
    c->backoff_until = ns_add(now, endpoint_backoff(c->failures, rng));
    if (c->state != CANDIDATE_READY)
        c->state = CANDIDATE_BACKOFF;
}

void candidate_tick(struct candidate *c, ns_t now)
{
    if (c->state == CANDIDATE_BACKOFF && now >= c->backoff_until)
        c->state = CANDIDATE_IDLE;
}
