/* Rendezvous: each endpoint has a number of its own, and the lowest ones are chosen. */
#include "core/subset.h"

#include <stdlib.h>

struct entry {
    uint64_t hash;
    uint32_t priority, index;
};

static uint64_t hash_of(const struct endpoint *e, uint64_t seed)
{
    return slice_hash(slice_str(e->text), seed);
}

static int by_rank(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* When memory is out: the first ones. */
static uint32_t choose_part(struct endpoint *const *endpoints, const struct rank *ranks, size_t n, uint64_t seed,
                            uint32_t *ret)
{
    struct entry *v = malloc(n * sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        v[i] = (struct entry){hash_of(endpoints[i], seed), ranks[i].priority, (uint32_t)i};
    if (v)
        qsort(v, n, sizeof *v, by_rank);
    for (uint32_t i = 0; i < SUBSET_MAX; i++)
        ret[i] = v ? v[i].index : i;
    free(v);
    qsort(ret, SUBSET_MAX, sizeof *ret, by_index);
    return SUBSET_MAX;
}

static bool is_alike(struct endpoint *const *endpoints, const struct rank *ranks, uint32_t a, uint32_t b)
{
    return endpoints[a]->address.kind == endpoints[b]->address.kind && ranks[a].priority == ranks[b].priority;
}

static void mix(struct endpoint *const *endpoints, const struct rank *ranks, uint64_t seed, uint32_t *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t least = i;
        for (uint32_t k = i + 1; k < n; k++)
            if (is_alike(endpoints, ranks, v[i], v[k]) &&
                hash_of(endpoints[v[k]], seed) < hash_of(endpoints[v[least]], seed))
                least = k;
        uint32_t kept = v[i];
        v[i] = v[least];
        v[least] = kept;
    }
}

uint32_t subset_choose(struct endpoint *const *endpoints, const struct rank *ranks, size_t n, uint64_t seed,
                       bool shuffle, uint32_t *ret)
{
    uint32_t chosen = (uint32_t)n;
    if (n > SUBSET_MAX)
        chosen = choose_part(endpoints, ranks, n, seed, ret);
    else
        for (uint32_t i = 0; i < chosen; i++)
            ret[i] = i;
    if (shuffle)
        mix(endpoints, ranks, seed, ret, chosen);
    return chosen;
}
