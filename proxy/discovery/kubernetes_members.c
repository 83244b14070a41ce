/* From slices to a set. */
#include "discovery/kubernetes.h"

#include <stdlib.h>

static int compare_address(const struct address *a, const struct address *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    int by_ip = memcmp(a->ip, b->ip, a->kind == ADDRESS_IPV4 ? 4 : 16);
    return by_ip ? by_ip : (int)a->port - (int)b->port;
}

/* Of one address the ready one first, then the serving one. */
static int by_address(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    int order = compare_address(&a->address, &b->address);
    if (order == 0)
        order = (int)b->ready - (int)a->ready;
    return order ? order : (int)b->serving - (int)a->serving;
}

/* Pods together, IPv4 first in each. */
static int by_pod(const void *left, const void *right)
{
    const struct piece *a = left, *b = right;
    if (a->pod != b->pod)
        return a->pod < b->pod ? -1 : 1;
    return by_address(left, right);
}

static size_t gather(const struct kubernetes *k, bool ending, struct piece *v)
{
    size_t n = 0;
    for (size_t i = 0; i < k->slices.n; i++)
        for (size_t j = 0; j < k->slices.v[i].n; j++) {
            const struct piece *p = &k->slices.v[i].v[j];
            if (ending ? p->serving && p->terminating : p->ready)
                v[n++] = *p;
        }
    return n;
}

/* A pod of two families keeps its IPv4 addresses. */
static size_t drop_second_family(struct piece *v, size_t n)
{
    size_t kept = 0;
    qsort(v, n, sizeof *v, by_pod);
    for (size_t i = 0, first = 0; i < n; i++) {
        if (v[i].pod != v[first].pod)
            first = i;
        if (v[i].pod == 0 || v[i].address.kind == v[first].address.kind)
            v[kept++] = v[i];
    }
    return kept;
}

static size_t drop_twice(struct piece *v, size_t n)
{
    size_t kept = 0;
    qsort(v, n, sizeof *v, by_address);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare_address(&v[kept - 1].address, &v[i].address) != 0)
            v[kept++] = v[i];
    return kept;
}

/* Hints count when everybody has them and somebody is for us: otherwise a zone would get nothing, or too much. */
static bool has_hints(const struct piece *v, size_t n)
{
    bool ours = false;
    for (size_t i = 0; i < n; i++) {
        if (!v[i].hinted)
            return false;
        ours |= v[i].ours;
    }
    return ours;
}

struct member *kubernetes_members(const struct kubernetes *k, size_t *ret_n)
{
    struct piece *v = calloc(k->slices.pieces + 1, sizeof *v);
    struct member *targets = calloc(k->slices.pieces + 1, sizeof *targets);
    size_t n = 0;
    if (v && targets) {
        n = gather(k, false, v);
        if (n == 0)
            n = gather(k, true, v);
        n = drop_twice(v, drop_second_family(v, n));
        bool hints = has_hints(v, n);
        for (size_t i = 0; i < n; i++) {
            targets[i] = member_of(v[i].address);
            targets[i].rank.priority = hints && !v[i].ours;
        }
    } else {
        free(targets);
        targets = NULL;
    }
    free(v);
    *ret_n = n;
    return targets;
}
