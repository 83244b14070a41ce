/* Finds the breaker of an endpoint and a method, under the lock of the service, and decides between opening and
 * holding. */
#include "core/breaker_set.h"

#include <stdlib.h>

/* Indices in endpoint->breakers. An entry's 0 means: not asked yet. */
enum { INDEX_ENDPOINT = 1, INDEX_OTHER, INDEX_FIRST };

struct breaker_name {
    uint64_t hash;
    struct slice path; /* owned */
    bool named;
};

void breaker_set_init(struct breaker_set *s, bool shared)
{
    *s = (struct breaker_set){.shared = shared};
    pthread_mutex_init(&s->lock, NULL);
    breaker_init(&s->service);
}

void breaker_set_fini(struct breaker_set *s)
{
    for (uint32_t i = 0; i < s->names_n; i++)
        free((char *)(uintptr_t)s->names[i].path.p);
    free(s->names);
    pthread_mutex_destroy(&s->lock);
}

static void lock(const struct breaker_view *v)
{
    if (v->set->shared)
        pthread_mutex_lock(&v->set->lock);
}

static void unlock(const struct breaker_view *v)
{
    if (v->set->shared)
        pthread_mutex_unlock(&v->set->lock);
}

/* A lone worker needs no lock for what it alone reads. Where it changes what breaker_set_each reads, it takes it. True
 * when taken. */
static bool guard(struct breaker_set *s, bool changes)
{
    bool take = changes && !s->shared;
    if (take)
        pthread_mutex_lock(&s->lock);
    return take;
}

static void unguard(struct breaker_set *s, bool taken)
{
    if (taken)
        pthread_mutex_unlock(&s->lock);
}

/* A start or a result changes only counts of it. */
static bool is_quiet(const struct breaker *b)
{
    return b->state == BREAKER_CLOSED && !b->held;
}

static bool is_named(const struct policy *policy, struct slice path)
{
    const struct policy_method *m = policy_find_entry(policy, path);
    return m && m->method.n > 0;
}

static uint32_t add_name(struct breaker_set *s, uint64_t hash, struct slice path, bool named)
{
    if (s->names_n == s->names_room) {
        uint32_t room = s->names_room ? s->names_room * 2 : 16;
        struct breaker_name *names = realloc(s->names, room * sizeof *names);
        if (!names)
            return INDEX_OTHER;
        s->names = names;
        s->names_room = room;
    }
    char *copy = malloc(path.n);
    if (!copy)
        return INDEX_OTHER;
    memcpy(copy, path.p, path.n);
    s->names[s->names_n] = (struct breaker_name){hash, slice_make(copy, path.n), named};
    s->unnamed += !named;
    return INDEX_FIRST + s->names_n++;
}

/* Under the lock. */
static uint32_t find_index(struct breaker_set *s, const struct policy *policy, struct slice path)
{
    if (path.n == 0)
        return INDEX_OTHER;
    uint64_t hash = slice_hash(path, 0);
    for (uint32_t i = 0; i < s->names_n; i++)
        if (s->names[i].hash == hash && slice_eq(s->names[i].path, path))
            return INDEX_FIRST + i;
    bool named = is_named(policy, path);
    if (!named && s->unnamed >= BREAKER_METHODS_MAX)
        return INDEX_OTHER;
    bool guarded = guard(s, true);
    uint32_t index = add_name(s, hash, path, named);
    unguard(s, guarded);
    return index;
}

struct breaker_view breaker_set_view(struct breaker_set *s, const struct policy *policy, struct method_entry *entry)
{
    struct breaker_view v = {.policy = policy->breaker, .set = s, .index = INDEX_ENDPOINT};
    if (!v.policy || v.policy->scope != BREAKER_SCOPE_ENDPOINT_METHOD)
        return v;
    if (entry->breaker == 0) {
        lock(&v);
        entry->breaker = find_index(s, policy, entry->path);
        unlock(&v);
    }
    v.index = entry->breaker;
    return v;
}

static bool is_of_service(const struct breaker_view *v)
{
    return v->policy->scope == BREAKER_SCOPE_SERVICE;
}

/* Under the lock. NULL when it was never prepared. */
static struct breaker *find(const struct breaker_view *v, const struct endpoint *e)
{
    if (is_of_service(v))
        return &v->set->service;
    return v->index < e->breakers_n ? e->breakers[v->index] : NULL;
}

static bool make_room(struct endpoint *e, uint32_t index)
{
    if (index < e->breakers_n)
        return true;
    uint32_t n = index < 8 ? 8 : index * 2;
    struct breaker **breakers = realloc(e->breakers, n * sizeof(struct breaker *));
    if (!breakers)
        return false;
    for (uint32_t i = e->breakers_n; i < n; i++)
        breakers[i] = NULL;
    e->breakers = breakers;
    e->breakers_n = n;
    return true;
}

void breaker_view_prepare(const struct breaker_view *v, struct endpoint *e)
{
    if (!v->policy || is_of_service(v))
        return;
    lock(v);
    bool missing = !find(v, e), guarded = guard(v->set, missing);
    if (missing && make_room(e, v->index)) {
        e->breakers[v->index] = malloc(sizeof(struct breaker));
        if (e->breakers[v->index])
            breaker_init(e->breakers[v->index]);
    }
    unguard(v->set, guarded);
    unlock(v);
}

/* Keeps the count of the endpoint's breakers that are not closed. */
static void recount(const struct breaker_view *v, struct endpoint *e, bool was_closed, const struct breaker *b)
{
    bool closed = b->state == BREAKER_CLOSED;
    if (is_of_service(v))
        return;
    if (was_closed && !closed)
        atomic_fetch_add_explicit(&e->troubled, 1, memory_order_relaxed);
    else if (!was_closed && closed)
        atomic_fetch_sub_explicit(&e->troubled, 1, memory_order_relaxed);
}

double breaker_view_share(const struct breaker_view *v, struct endpoint *e, ns_t now)
{
    if (breaker_view_is_calm(v, e))
        return 1;
    lock(v);
    const struct breaker *b = find(v, e);
    double share = b ? breaker_share(b, v->policy, now) : 1;
    unlock(v);
    return share;
}

bool breaker_view_wants_probe(const struct breaker_view *v, struct endpoint *e, ns_t now)
{
    if (breaker_view_is_calm(v, e))
        return false;
    lock(v);
    const struct breaker *b = find(v, e);
    bool wants = b && breaker_wants_probe(b, v->policy, now);
    unlock(v);
    return wants;
}

bool breaker_view_start(const struct breaker_view *v, struct endpoint *e, bool forced, ns_t now,
                        struct breaker_ticket *ret)
{
    bool started = true;
    *ret = (struct breaker_ticket){0};
    lock(v);
    struct breaker *b = find(v, e);
    bool guarded = guard(v->set, b && !forced && !is_quiet(b));
    if (b && forced) {
        *ret = breaker_on_forced_start(b);
    } else if (b) {
        bool was_closed = b->state == BREAKER_CLOSED;
        started = breaker_on_start(b, v->policy, now, ret);
        recount(v, e, was_closed, b);
    }
    unguard(v->set, guarded);
    unlock(v);
    return started;
}

/* At least one may be out when there are two or more; what has no connection is neither out nor well. */
static bool may_open(const struct breaker_view *v, const struct candidate *candidates, uint32_t n, uint32_t i)
{
    uint32_t out = 0, well = 0, allowed = (uint32_t)(v->policy->max_open * n + 1e-9);
    for (uint32_t k = 0; k < n; k++) {
        if (k == i || candidates[k].state != CANDIDATE_READY)
            continue;
        const struct breaker *b = find(v, candidates[k].endpoint);
        out += b && breaker_is_out(b);
        well += !b || (!breaker_is_out(b) && !b->held);
    }
    return well == 0 || out < (allowed > 0 ? allowed : 1);
}

void breaker_view_result(const struct breaker_view *v, const struct candidate *candidates, uint32_t n, uint32_t i,
                         struct breaker_ticket ticket, enum breaker_outcome outcome, ns_t latency_ns, ns_t now,
                         struct rng *rng)
{
    struct endpoint *e = candidates[i].endpoint;
    lock(v);
    struct breaker *b = find(v, e);
    if (b) {
        bool was_closed = b->state == BREAKER_CLOSED, guarded = guard(v->set, !is_quiet(b));
        bool met = breaker_on_result(b, v->policy, ticket, outcome, latency_ns, now, rng);
        guarded |= guard(v->set, met && !guarded);
        if (met && (is_of_service(v) || may_open(v, candidates, n, i)))
            breaker_open(b, v->policy, now, rng);
        else if (met)
            breaker_hold(b);
        unguard(v->set, guarded);
        recount(v, e, was_closed, b);
    }
    unlock(v);
}

ns_t breaker_view_retry_after(const struct breaker_view *v, const struct candidate *candidates, uint32_t n, ns_t now)
{
    ns_t first = NS_NEVER;
    lock(v);
    for (uint32_t i = 0; i < n; i++) {
        const struct breaker *b = find(v, candidates[i].endpoint);
        if (candidates[i].state == CANDIDATE_READY && b && b->state == BREAKER_OPEN)
            first = ns_min(first, b->until);
    }
    unlock(v);
    if (first == NS_NEVER)
        return v->policy->open_base_ns;
    return first > now ? first - now : 1;
}

struct breaker breaker_view_read(const struct breaker_view *v, struct endpoint *e)
{
    struct breaker copy;
    lock(v);
    const struct breaker *b = find(v, e);
    if (b)
        copy = *b;
    else
        breaker_init(&copy);
    unlock(v);
    return copy;
}

static ns_t probe_in(const struct breaker *b, const struct breaker_policy *p, ns_t now)
{
    if (breaker_wants_probe(b, p, now))
        return 0;
    return b->state == BREAKER_OPEN ? b->until - now : NS_NEVER;
}

/* Reads nothing that a quiet breaker changes. */
static struct breaker_fact fact_of(const struct breaker *b, const struct breaker_policy *p, struct slice method,
                                   ns_t now)
{
    bool ramped = b->state == BREAKER_RAMPING && breaker_share(b, p, now) >= 1;
    return (struct breaker_fact){.method = method,
                                 .state = ramped ? BREAKER_CLOSED : b->state,
                                 .held = b->held,
                                 .opened = b->opened,
                                 .since = b->since,
                                 .probe_in_ns = probe_in(b, p, now)};
}

/* Under the lock. The name of an index; the first byte of a path is its slash. */
static struct slice method_of(const struct breaker_set *s, uint32_t index)
{
    if (index < INDEX_FIRST)
        return index == INDEX_ENDPOINT ? SLICE("") : SLICE("other");
    struct slice path = s->names[index - INDEX_FIRST].path;
    return slice_sub(path, 1, path.n);
}

void breaker_set_each(struct breaker_set *s, const struct breaker_policy *p, const struct endpoint *e, ns_t now,
                      void (*each)(void *ctx, const struct breaker_fact *fact), void *ctx)
{
    if ((p->scope == BREAKER_SCOPE_SERVICE) != (e == NULL))
        return;
    pthread_mutex_lock(&s->lock);
    if (!e) {
        struct breaker_fact fact = fact_of(&s->service, p, SLICE(""), now);
        each(ctx, &fact);
    }
    for (uint32_t i = 0; e && i < e->breakers_n; i++) {
        if (!e->breakers[i] || (p->scope == BREAKER_SCOPE_ENDPOINT) != (i == INDEX_ENDPOINT))
            continue;
        struct breaker_fact fact = fact_of(e->breakers[i], p, method_of(s, i), now);
        each(ctx, &fact);
    }
    pthread_mutex_unlock(&s->lock);
}
