/* What an API server says: the first line is a page of a list, each other one an event of a watch. Whatever it is, only
 * a whole list or an event changes the set, every member has an address and a port, and none is there twice. */
#include "discovery/kubernetes.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check_set(const struct kubernetes *k)
{
    size_t n;
    struct member *v = kubernetes_members(k, &n);
    if (!v || (!k->known && n > 0))
        abort();
    for (size_t i = 0; i < n; i++)
        if (v[i].address.port == 0 || v[i].rank.weight == 0 || v[i].rank.priority > 1 ||
            (i > 0 && address_eq(&v[i - 1].address, &v[i].address)))
            abort();
    free(v);
}

static void take(struct kubernetes *k, struct slice text, struct rng *rng)
{
    uint64_t pieces = k->slices.pieces;
    bool changed = k->want == KUBERNETES_LIST ? kubernetes_on_page(k, text, NS_PER_S, rng)
                                              : kubernetes_on_line(k, text, NS_PER_S, rng) == KUBERNETES_CHANGED;
    if (!changed && k->slices.pieces != pieces)
        abort();
    check_set(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct kubernetes k;
    struct rng rng;
    struct slice rest = slice_make(p, n);
    kubernetes_init(&k, &(struct slice_query){.port = "grpc", .zone = "here"});
    rng_init(&rng, 1);
    while (rest.n > 0) {
        size_t end = slice_find(rest, '\n');
        take(&k, slice_sub(rest, 0, end), &rng);
        rest = slice_sub(rest, end < rest.n ? end + 1 : end, rest.n);
    }
    kubernetes_fini(&k);
    return 0;
}
