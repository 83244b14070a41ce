/* Compiles the rules of `allow` and decides with what came out. */
#include "core/allow.h"

#include "base/spiffe.h"

#include <stdlib.h>

static void set_add(struct allow_set *s, size_t rule)
{
    s->v[rule / 64] |= 1ull << (rule % 64);
}

static void set_merge(struct allow_set *s, const struct allow_set *other)
{
    for (size_t i = 0; i < ALLOW_WORDS; i++)
        s->v[i] |= other->v[i];
}

static bool set_meets(const struct allow_set *a, const struct allow_set *b, size_t words)
{
    uint64_t both = 0;
    for (size_t i = 0; i < words; i++)
        both |= a->v[i] & b->v[i];
    return both != 0;
}

static int compare_slices(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int by_bytes = n ? memcmp(a.p, b.p, n) : 0;
    return by_bytes ? by_bytes : (a.n > b.n) - (a.n < b.n);
}

static int compare_names(struct slice service, struct slice method, const struct allow_method *m)
{
    int by_service = compare_slices(service, m->service);
    return by_service ? by_service : compare_slices(method, m->method);
}

static int compare_methods(const void *left, const void *right)
{
    const struct allow_method *a = left;
    return compare_names(a->service, a->method, right);
}

/* Every method of every rule, in the order of their names, those of one name next to each other. */
static size_t list_methods(struct allow *a, struct allow_method *v)
{
    size_t n = 0;
    for (size_t i = 0; i < a->rules_n; i++) {
        const struct allow_rule *r = &a->rules[i];
        if (r->methods_n == 0)
            set_add(&a->any, i);
        for (size_t k = 0; k < r->methods_n; k++) {
            if (r->methods[k].any) {
                set_add(&a->any, i);
                continue;
            }
            v[n] = (struct allow_method){.service = r->methods[k].service, .method = r->methods[k].method};
            set_add(&v[n++].rules, i);
        }
    }
    if (n > 1)
        qsort(v, n, sizeof *v, compare_methods);
    return n;
}

void allow_compile(struct allow *a, struct allow_method *storage)
{
    size_t n = list_methods(a, storage), kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && compare_methods(&storage[kept - 1], &storage[i]) == 0)
            set_merge(&storage[kept - 1].rules, &storage[i].rules);
        else
            storage[kept++] = storage[i];
    }
    a->methods = storage;
    a->methods_n = kept;
    for (size_t i = 0; i < a->rules_n; i++) {
        a->asks_identity |= a->rules[i].identities_n > 0;
        a->asks_source |= a->rules[i].sources_n > 0;
    }
}

static bool takes_identity(const struct allow_rule *r, struct slice identity)
{
    for (size_t i = 0; i < r->identities_n; i++)
        if (identity.n > 0 && (slice_eq(r->identities[i], identity) || spiffe_matches(r->identities[i], identity)))
            return true;
    return r->identities_n == 0;
}

static bool takes_source(const struct allow_rule *r, const struct allow_peer *peer)
{
    for (size_t i = 0; i < r->sources_n; i++)
        if (peer->any_source || (peer->source && cidr_has(&r->sources[i], peer->source)))
            return true;
    return r->sources_n == 0;
}

static bool takes_peer(const struct allow_rule *r, const struct allow_peer *peer)
{
    return takes_identity(r, peer->identity) && takes_source(r, peer);
}

void allow_decide_peer(const struct allow *a, const struct allow_peer *peer, struct allow_set *ret)
{
    *ret = (struct allow_set){{0}};
    for (size_t i = 0; i < a->rules_n; i++)
        if (takes_peer(&a->rules[i], peer))
            set_add(ret, i);
}

static const struct allow_method *find(const struct allow *a, struct slice service, struct slice method)
{
    size_t low = 0, high = a->methods_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_names(service, method, &a->methods[middle]);
        if (order == 0)
            return &a->methods[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

bool allow_takes(const struct allow *a, const struct allow_set *rules, struct slice path)
{
    size_t words = (a->rules_n + 63) / 64;
    struct slice service, method;
    if (set_meets(rules, &a->any, words))
        return true;
    if (a->methods_n == 0 || !policy_split_path(path, &service, &method))
        return false;
    const struct allow_method *exact = find(a, service, method);
    if (exact && set_meets(rules, &exact->rules, words))
        return true;
    const struct allow_method *whole = find(a, service, SLICE(""));
    return whole && set_meets(rules, &whole->rules, words);
}

static bool takes_method(const struct allow_rule *r, struct slice path)
{
    struct slice service = {NULL, 0}, method = {NULL, 0};
    bool split = policy_split_path(path, &service, &method);
    for (size_t i = 0; i < r->methods_n; i++) {
        const struct method_pattern *p = &r->methods[i];
        if (p->any || (split && slice_eq(p->service, service) && (p->method.n == 0 || slice_eq(p->method, method))))
            return true;
    }
    return r->methods_n == 0;
}

const struct allow_rule *allow_find(const struct allow *a, const struct allow_peer *peer, struct slice path)
{
    for (size_t i = 0; i < a->rules_n; i++)
        if (takes_peer(&a->rules[i], peer) && takes_method(&a->rules[i], path))
            return &a->rules[i];
    return NULL;
}
