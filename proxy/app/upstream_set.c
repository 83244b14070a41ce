/* The endpoints of a pool, from one set to the next. What stays keeps its connections, calls and place in the counts;
 * what went gets no new stream and goes when its last one has ended. Calls see new numbers and nothing else. */
#include "app/exchange.h"
#include "app/upstream.h"
#include "core/subset.h"

#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>

/* A change under way. */
struct change {
    struct candidate *candidates;
    struct list *pools;
    int *map;        /* old number -> new number, or BALANCE_NONE */
    uint32_t *stays; /* new number -> old number, or UINT32_MAX */
    uint32_t *order; /* new number -> index in the service */
    uint32_t n;      /* live ones; behind them up to `total` those that leave */
    uint32_t total;
};

/* Sets are alike: the search begins where the last one ended. */
static uint32_t find(const struct upstream *u, const struct endpoint *e, uint32_t *at)
{
    for (uint32_t k = 0; k < u->candidates_n; k++) {
        uint32_t i = (*at + k) % u->candidates_n;
        if (u->candidates[i].endpoint != e)
            continue;
        *at = i + 1;
        return i;
    }
    return UINT32_MAX;
}

/* Gives every candidate its new number. */
static void number(const struct upstream *u, const struct service *s, struct change *to)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < u->candidates_n; i++)
        to->map[i] = BALANCE_NONE;
    for (uint32_t i = 0; i < to->n; i++) {
        to->stays[i] = find(u, s->endpoints[to->order[i]], &at);
        if (to->stays[i] != UINT32_MAX)
            to->map[to->stays[i]] = (int)i;
    }
    for (uint32_t i = 0; i < u->candidates_n; i++)
        if (to->map[i] == BALANCE_NONE && (u->candidates[i].inflight > 0 || !list_is_empty(&u->pools[i])))
            to->map[i] = (int)to->total++;
}

static void move_pool(struct list *to, struct list *from, uint32_t candidate)
{
    LIST_FOR(n, from)
        CONTAINER_OF(n, struct upconn, pool)->candidate = candidate;
    list_splice(to, from);
}

/* Where a source looks. */
static const char *source_place(enum endpoint_source source)
{
    return source == ENDPOINTS_KUBERNETES ? "Kubernetes" : "DNS";
}

static void add(struct upstream *u, struct change *to, uint32_t i, struct endpoint *e)
{
    candidate_init(&to->candidates[i], endpoint_ref(e));
    if (e->address.kind != ADDRESS_NAME)
        return;
    to->candidates[i].state = CANDIDATE_CONNECTING; /* calls wait for its look-up as for a connection */
    snprintf(u->error, sizeof u->error, "%.100s has not been found in %s yet", u->conf->source_text,
             source_place(u->conf->source));
}

static void fill(struct upstream *u, const struct service *s, struct change *to)
{
    for (uint32_t i = 0; i < to->total; i++)
        list_init(&to->pools[i]);
    for (uint32_t i = 0; i < to->n; i++)
        if (to->stays[i] == UINT32_MAX)
            add(u, to, i, s->endpoints[to->order[i]]);
    for (uint32_t i = 0; i < u->candidates_n; i++) {
        int number = to->map[i];
        if (number == BALANCE_NONE) {
            endpoint_unref(u->candidates[i].endpoint);
            continue;
        }
        to->candidates[number] = u->candidates[i];
        move_pool(&to->pools[number], &u->pools[i], (uint32_t)number);
    }
    for (uint32_t i = 0; i < to->n; i++)
        to->candidates[i].rank = s->ranks[to->order[i]];
}

static void renumber(struct upstream *u, const struct change *to)
{
    uint32_t cursor = u->balance.cursor;
    int moved = cursor < u->candidates_n ? to->map[cursor] : BALANCE_NONE;
    u->balance.cursor = moved != BALANCE_NONE && (uint32_t)moved < to->n ? (uint32_t)moved : 0;
    LIST_FOR(n, &u->worker->live) {
        struct exchange *x = CONTAINER_OF(n, struct exchange, live);
        if (x->upstream == u)
            call_renumber(&x->call, to->map);
    }
}

void upstream_set_endpoints(struct upstream *u, const struct service *s)
{
    uint32_t order[SUBSET_MAX];
    bool shuffle = u->conf->balance == BALANCE_PICK_FIRST && service_has_source(u->conf);
    uint32_t n = subset_choose(s->endpoints, s->ranks, s->endpoints_n, u->worker->seed, shuffle, order);
    struct change to = {.n = n,
                        .total = n,
                        .order = order,
                        .map = must_have(calloc(u->candidates_n + 1, sizeof(int))),
                        .stays = must_have(calloc(n + 1, sizeof(uint32_t)))};
    number(u, s, &to);
    to.candidates = must_have(calloc(to.total + 1, sizeof *to.candidates));
    to.pools = must_have(calloc(to.total + 1, sizeof *to.pools));
    fill(u, s, &to);
    renumber(u, &to);
    free(u->candidates);
    free(u->pools);
    free(to.map);
    free(to.stays);
    u->candidates = u->balance.candidates = to.candidates;
    u->pools = to.pools;
    u->candidates_n = to.total;
    u->balance.n = n;
    balance_on_candidates(&u->balance);
}
