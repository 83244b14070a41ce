/* From answers to a canonical set, and how long it holds. */
#include "discovery/dns.h"

#include <stdlib.h>
#include <string.h>

void dns_init(struct dns *d)
{
    *d = (struct dns){.good_at = NS_NEVER};
}

void dns_fini(struct dns *d)
{
    for (int i = 0; i < LOOKUP_FAMILIES; i++)
        free(d->parts[i].v);
    free(d->v);
}

static int compare(const void *a, const void *b)
{
    const struct address *x = a, *y = b;
    return memcmp(x->ip, y->ip, x->kind == ADDRESS_IPV4 ? 4 : 16);
}

/* Wait plus up to a tenth of it, so that many proxies do not ask together. */
static ns_t jittered(ns_t wait, struct rng *rng)
{
    ns_t most = ns_min(wait / 10, DNS_JITTER_MAX_NS);
    return wait + (ns_t)rng_below(rng, (uint64_t)most + 1);
}

void dns_on_failure(struct dns *d, enum lookup_status status, ns_t now, struct rng *rng)
{
    ns_t wait = DNS_BACKOFF_MIN_NS;
    ns_t most = d->good_at == NS_NEVER ? DNS_FIRST_BACKOFF_MAX_NS : DNS_BACKOFF_MAX_NS;
    for (uint32_t i = 0; i < d->failures && wait < most; i++)
        wait *= 2;
    if (d->failures < UINT32_MAX)
        d->failures++;
    d->error = status;
    d->failed[status]++;
    d->due = ns_add(now, jittered(ns_min(wait, most), rng));
}

void dns_on_doubt(struct dns *d, ns_t now, struct rng *rng)
{
    if (d->failures > 0 || d->good_at == NS_NEVER)
        return;
    ns_t soon = ns_add(d->good_at, jittered(DNS_TTL_MIN_NS, rng));
    d->due = ns_min(d->due, soon > now ? soon : now);
}

/* Sorted, each once; false when memory is out. */
static bool canonical(const struct lookup_part *from, struct dns_part *ret)
{
    ret->n = 0;
    ret->v = malloc((from->n + 1) * sizeof *ret->v);
    if (!ret->v)
        return false;
    if (from->n == 0)
        return true;
    memcpy(ret->v, from->v, from->n * sizeof *ret->v);
    qsort(ret->v, from->n, sizeof *ret->v, compare);
    for (size_t i = 0; i < from->n; i++)
        if (ret->n == 0 || !address_eq(&ret->v[ret->n - 1], &ret->v[i]))
            ret->v[ret->n++] = ret->v[i];
    return true;
}

/* The two parts, taking turns, within the bound. Returns the count; `v` holds DNS_ADDRESSES_MAX. */
static size_t interleave(const struct dns_part *parts, struct address *v)
{
    size_t n = 0;
    for (size_t i = 0; i < parts[LOOKUP_V6].n || i < parts[LOOKUP_V4].n; i++) {
        if (i < parts[LOOKUP_V6].n && n < DNS_ADDRESSES_MAX)
            v[n++] = parts[LOOKUP_V6].v[i];
        if (i < parts[LOOKUP_V4].n && n < DNS_ADDRESSES_MAX)
            v[n++] = parts[LOOKUP_V4].v[i];
    }
    return n;
}

static bool is_same(const struct dns *d, const struct address *v, size_t n)
{
    bool same = d->n == n;
    for (size_t i = 0; same && i < n; i++)
        same = address_eq(&d->v[i], &v[i]);
    return same;
}

/* What each family stands for after this answer: new, none, or the last good. False when memory is out; then the caller
 * drops what was made. */
static bool merge(const struct dns *d, const struct lookup_answer *answer, struct dns_part *parts)
{
    for (int i = 0; i < LOOKUP_FAMILIES; i++) {
        const struct lookup_part *from = &answer->parts[i];
        struct lookup_part last = {.v = d->parts[i].v, .n = d->parts[i].n}, none = {.n = 0};
        bool absent = from->status == LOOKUP_NXDOMAIN || from->status == LOOKUP_EMPTY;
        if (!canonical(from->status == LOOKUP_OK ? from : absent || !last.v ? &none : &last, &parts[i]))
            return false;
    }
    return true;
}

static bool take(struct dns *d, struct dns_part *parts)
{
    struct address *v = malloc(DNS_ADDRESSES_MAX * sizeof *v);
    if (!v)
        return false;
    size_t n = interleave(parts, v);
    bool changed = !is_same(d, v, n);
    for (int i = 0; i < LOOKUP_FAMILIES; i++) {
        free(d->parts[i].v);
        d->parts[i] = parts[i];
        parts[i].v = NULL;
    }
    free(d->v);
    d->v = v;
    d->n = n;
    d->cut = parts[LOOKUP_V4].n + parts[LOOKUP_V6].n > n;
    d->changes += changed;
    return changed;
}

/* The worse news of the two: a failure before an absence. */
static enum lookup_status status_of(const struct lookup_answer *answer)
{
    enum lookup_status worst = LOOKUP_OK;
    for (int i = 0; i < LOOKUP_FAMILIES; i++)
        if (answer->parts[i].status > worst)
            worst = answer->parts[i].status;
    return worst;
}

static void on_good(struct dns *d, const struct lookup_answer *answer, ns_t now, struct rng *rng)
{
    ns_t ttl = DNS_TTL_MAX_NS;
    for (int i = 0; i < LOOKUP_FAMILIES; i++)
        if (answer->parts[i].status == LOOKUP_OK)
            ttl = ns_min(ttl, answer->parts[i].ttl_s * NS_PER_S);
    d->failures = 0;
    d->updates++;
    d->good_at = now;
    d->error = status_of(answer) > LOOKUP_EMPTY ? status_of(answer) : LOOKUP_OK;
    d->due = ns_add(now, jittered(ttl < DNS_TTL_MIN_NS ? DNS_TTL_MIN_NS : ttl, rng));
}

bool dns_on_answer(struct dns *d, const struct lookup_answer *answer, ns_t now, struct rng *rng)
{
    struct dns_part parts[LOOKUP_FAMILIES] = {{0}};
    bool changed = false;
    if (answer->parts[LOOKUP_V4].status != LOOKUP_OK && answer->parts[LOOKUP_V6].status != LOOKUP_OK) {
        dns_on_failure(d, status_of(answer), now, rng);
    } else if (!merge(d, answer, parts)) {
        dns_on_failure(d, LOOKUP_FAILED, now, rng);
    } else {
        on_good(d, answer, now, rng);
        changed = take(d, parts);
    }
    for (int i = 0; i < LOOKUP_FAMILIES; i++)
        free(parts[i].v);
    return changed;
}
