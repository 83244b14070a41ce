/* The bounded table of methods: open addressing for the worker that owns it, an append-only list for readers. */
#include "core/stats.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64 };

struct method_node {
    struct method_entry entry; /* first: an entry is its node */
    struct method_node *next;  /* older one; set before the node is published */
    bool named;                /* the policy names exactly this method */
};

struct slot {
    uint64_t hash;
    struct method_node *node; /* NULL: free */
};

/* Owned by: a worker's upstream. Borrows: the policy. */
struct method_table {
    const struct policy *policy;
    struct slot *slots; /* owned; at most half of them in use */
    size_t slots_n;     /* a power of two */
    size_t used, unnamed;
    struct method_node *_Atomic newest; /* owned, all nodes */
    struct method_entry other;
};

struct method_table *method_table_new(const struct policy *policy)
{
    struct method_table *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->slots = calloc(SLOTS_MIN, sizeof *t->slots);
    if (!t->slots) {
        free(t);
        return NULL;
    }
    t->slots_n = SLOTS_MIN;
    t->policy = policy;
    t->other.path = SLICE("");
    t->other.policy = &policy->base;
    t->other.counted = &t->other;
    return t;
}

static void entry_fini(struct method_entry *e)
{
    method_stats_fini(&e->calls);
    method_stats_fini(&e->attempts);
}

static struct method_node *newest(struct method_table *t)
{
    return atomic_load_explicit(&t->newest, memory_order_acquire);
}

void method_table_free(struct method_table *t)
{
    if (!t)
        return;
    for (struct method_node *n = newest(t), *next; n; n = next) {
        next = n->next;
        entry_fini(&n->entry);
        free(n);
    }
    entry_fini(&t->other);
    free(t->slots);
    free(t);
}

static void resolve(struct method_node *n, const struct policy *policy)
{
    const struct policy_method *m = policy_find_entry(policy, n->entry.path);
    n->entry.policy = m ? &m->effective : &policy->base;
    n->named = m && m->method.n > 0;
    if (n->named)
        n->entry.counted = &n->entry; /* and stays so when the name goes: what was counted may not shrink */
}

void method_table_set_policy(struct method_table *t, const struct policy *policy)
{
    t->policy = policy;
    t->other.policy = &policy->base;
    t->unnamed = 0;
    for (struct method_node *n = newest(t); n; n = n->next) {
        resolve(n, policy);
        t->unnamed += !n->named;
    }
}

/* The slot of the path, or the free one where it belongs. */
static struct slot *find_slot(const struct method_table *t, uint64_t hash, struct slice path)
{
    size_t mask = t->slots_n - 1;
    size_t i = hash & mask;
    while (t->slots[i].node && (t->slots[i].hash != hash || !slice_eq(t->slots[i].node->entry.path, path)))
        i = (i + 1) & mask;
    return &t->slots[i];
}

static bool grow(struct method_table *t)
{
    struct slot *old = t->slots;
    size_t old_n = t->slots_n;
    struct slot *slots = calloc(old_n * 2, sizeof *slots);
    if (!slots)
        return false;
    t->slots = slots;
    t->slots_n = old_n * 2;
    for (size_t i = 0; i < old_n; i++) {
        if (old[i].node)
            *find_slot(t, old[i].hash, old[i].node->entry.path) = old[i];
    }
    free(old);
    return true;
}

static struct method_node *node_new(struct slice path)
{
    struct method_node *n = calloc(1, sizeof *n + path.n);
    if (!n)
        return NULL;
    char *copy = (char *)(n + 1);
    memcpy(copy, path.p, path.n);
    n->entry.path = slice_make(copy, path.n);
    return n;
}

static bool is_method(struct slice path)
{
    struct slice service, method;
    return path.n <= METHOD_PATH_MAX && policy_split_path(path, &service, &method);
}

/* What callers invent has a bound in number and length; what the policy names does not count against it. */
static bool is_welcome(const struct method_table *t, struct slice path, const struct policy_method *m)
{
    return (m && m->method.n > 0) || (t->unnamed < METHOD_TABLE_MAX && is_method(path));
}

static struct method_node *add(struct method_table *t, uint64_t hash, struct slice path)
{
    if (2 * (t->used + 1) > t->slots_n && !grow(t))
        return NULL;
    struct method_node *n = node_new(path);
    if (!n)
        return NULL;
    n->entry.counted = &t->other;
    resolve(n, t->policy);
    *find_slot(t, hash, path) = (struct slot){hash, n};
    t->used++;
    t->unnamed += !n->named;
    n->next = newest(t);
    atomic_store_explicit(&t->newest, n, memory_order_release);
    return n;
}

static struct method_entry *find_unknown(struct method_table *t, uint64_t hash, struct slice path,
                                         const struct method_policy **ret_policy)
{
    const struct policy_method *m = policy_find_entry(t->policy, path);
    *ret_policy = m ? &m->effective : &t->policy->base;
    struct method_node *n = is_welcome(t, path, m) ? add(t, hash, path) : NULL;
    return n ? &n->entry : &t->other;
}

struct method_entry *method_table_find(struct method_table *t, struct slice path,
                                       const struct method_policy **ret_policy)
{
    uint64_t hash = slice_hash(path, 0);
    struct method_node *n = find_slot(t, hash, path)->node;
    if (!n)
        return find_unknown(t, hash, path, ret_policy);
    *ret_policy = n->entry.policy;
    return &n->entry;
}

void method_names_init(struct method_names *names)
{
    *names = (struct method_names){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void method_names_fini(struct method_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        free((char *)(uintptr_t)names->v[i].p);
    pthread_mutex_destroy(&names->lock);
}

/* Under the lock. */
static bool has_name(const struct method_names *names, struct slice path)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (slice_eq(names->v[i], path))
            return true;
    return false;
}

static bool admit_name(struct method_names *names, struct slice path, uint32_t max)
{
    pthread_mutex_lock(&names->lock);
    bool in = has_name(names, path);
    char *copy = in || names->n >= max || names->n == METHOD_TABLE_MAX ? NULL : malloc(path.n);
    if (copy) {
        memcpy(copy, path.p, path.n);
        names->v[names->n++] = slice_make(copy, path.n);
    }
    pthread_mutex_unlock(&names->lock);
    return in || copy;
}

bool method_table_learn(struct method_table *t, struct slice path, struct method_names *names, uint32_t max)
{
    if (!is_method(path))
        return true;
    if (!admit_name(names, path, max))
        return false;
    uint64_t hash = slice_hash(path, 0);
    struct method_node *n = find_slot(t, hash, path)->node;
    if (!n)
        n = add(t, hash, path);
    if (n)
        n->entry.counted = &n->entry;
    return true;
}

static bool has_traffic(const struct method_stats *m)
{
    bool any = counter_get(&m->started) > 0;
    for (int i = 0; i < STATUS_COUNT && !any; i++)
        any = atomic_load_explicit(&m->by_status[i], memory_order_relaxed) != NULL;
    return any;
}

static bool is_used(const struct method_entry *e)
{
    return has_traffic(&e->calls) || has_traffic(&e->attempts);
}

void method_table_each(struct method_table *t, void (*each)(void *ctx, const struct method_entry *e), void *ctx)
{
    for (const struct method_node *n = newest(t); n; n = n->next) {
        if (is_used(&n->entry))
            each(ctx, &n->entry);
    }
    if (is_used(&t->other))
        each(ctx, &t->other);
}
