/* What holds for each method of a policy: the sections merged, narrower over wider, and the rule that nothing is paid
 * twice: a retry that is written for more than one method reaches only those known to be idempotent. */
#include "conf/loader.h"
#include "conf/memory.h"

#include <stdlib.h>

static const struct method_policy method_defaults = {.idle_timeout_ns = 300 * NS_PER_S};

/* A name that the file or the descriptors know, and what they say of it. A method, or all of a service. */
struct named {
    struct policy_method m;
    const struct node *section; /* under methods */
    const struct node *listed;  /* under idempotent */
    const struct descriptors_method *described;
};

/* One policy while its methods are made. Borrows: everything. */
struct maker {
    struct loader *l;
    const struct node *section, *methods, *idempotent, *descriptors_node;
    const struct descriptors *descriptors;
    const struct retry_policy *retry;    /* of the whole policy */
    const struct retry_policy **retries; /* of the sections under methods, by index */
    struct named *v;
    size_t n;
};

/* A retry laid over what a wider section says. `own`: it is written for this method alone. */
static void lay_retry(struct loader *l, const struct node *n, const struct retry_policy *retry, bool own,
                      struct method_policy *m)
{
    if (!n)
        return;
    bool reaches = own || m->idempotent;
    m->retry_place = loader_key_place(l, n);
    m->retry = reaches ? retry : NULL;
    m->retry_withheld = retry && !reaches;
}

/* The fields of the whole policy, under all others. Its timeout is for what does not stream. */
static void lay_policy(const struct maker *k, struct method_policy *m)
{
    const struct node *timeout = node_get(k->section, "timeout");
    loader_set_duration(k->l, timeout, &m->timeout_ns, &m->timeout_place);
    m->timeout_withheld = m->timeout_ns && m->kind == METHOD_STREAMS;
    if (m->timeout_withheld)
        m->timeout_ns = 0;
    loader_set_duration(k->l, node_get(k->section, "idle_timeout"), &m->idle_timeout_ns, &m->idle_timeout_place);
    lay_retry(k->l, node_get(k->section, "retry"), k->retry, false, m);
}

/* Those of a section under methods. */
static void lay_section(const struct maker *k, const struct node *section, bool own, struct method_policy *m)
{
    const struct node *timeout = node_get(section, "timeout");
    if (!section)
        return;
    if (timeout)
        m->timeout_withheld = false;
    loader_set_duration(k->l, timeout, &m->timeout_ns, &m->timeout_place);
    loader_set_duration(k->l, node_get(section, "idle_timeout"), &m->idle_timeout_ns, &m->idle_timeout_place);
    lay_retry(k->l, node_get(section, "retry"), k->retries[section->index], own, m);
}

/* What is known of the method itself. `wide`: all of its service is listed. */
static struct method_policy known(const struct maker *k, const struct named *n, const struct node *wide)
{
    struct method_policy m = method_defaults;
    const struct node *listed = n->listed ? n->listed : wide;
    if (n->described) {
        m.kind = n->described->streams ? METHOD_STREAMS : METHOD_UNARY;
        m.kind_place = loader_place(k->l, k->descriptors_node);
        m.idempotent_why = idempotency_text(n->described->idempotency);
        if (m.idempotent_why)
            m.idempotent_place = m.kind_place;
    }
    if (listed) {
        m.idempotent_why = NULL;
        m.idempotent_place = loader_place(k->l, listed);
    }
    m.idempotent = listed || m.idempotent_why;
    return m;
}

/* `wide` is the entry of the whole service, or NULL. */
static void make_effective(const struct maker *k, struct named *n, const struct named *wide)
{
    bool is_wide = n->m.method.n == 0;
    struct method_policy m = known(k, n, wide ? wide->listed : NULL);
    lay_policy(k, &m);
    if (wide)
        lay_section(k, wide->section, false, &m);
    if (!is_wide)
        lay_section(k, n->section, true, &m);
    n->m.effective = m;
}

static struct named *add(struct maker *k, struct slice service, struct slice method)
{
    struct named *n = &k->v[k->n++];
    *n = (struct named){.m = {.service = service, .method = method}};
    return n;
}

/* "pkg.Service/Method", or the same with a star. */
static struct named *add_text(struct maker *k, struct slice text, struct place place)
{
    size_t slash = slice_find(text, '/');
    struct slice method = slice_sub(text, slash + 1, text.n);
    struct named *n = add(k, slice_sub(text, 0, slash), slice_eq(method, SLICE("*")) ? SLICE("") : method);
    n->m.place = place;
    return n;
}

static void add_listed(struct maker *k, const struct node *n)
{
    if (!n->bad)
        add_text(k, n->text, loader_place(k->l, n))->listed = n;
}

static void collect(struct maker *k)
{
    const struct node *list = k->idempotent;
    size_t described = k->descriptors ? k->descriptors->n : 0;
    size_t room = (k->methods ? k->methods->n : 0) + (list ? list->n + 1 : 0) + described;
    k->v = memory_array(&k->l->tree->arena, room, sizeof *k->v);
    NODE_FOR(n, k->methods)
        if (!n->bad)
            add_text(k, n->key, loader_key_place(k->l, n))->section = n;
    if (list && list->kind == NODE_SCALAR)
        add_listed(k, list);
    NODE_FOR(n, list)
        add_listed(k, n);
    for (size_t i = 0; i < described; i++) {
        const struct descriptors_method *d = &k->descriptors->methods[i];
        struct named *n = add(k, d->service, d->method);
        n->m.place = loader_place(k->l, k->descriptors_node);
        n->described = d;
    }
}

static int compare(const void *left, const void *right)
{
    const struct named *x = left, *y = right;
    return policy_compare(x->m.service, x->m.method, &y->m);
}

/* Makes one of neighbours that have the same name. */
static void unite(struct maker *k)
{
    size_t kept = 0;
    for (size_t i = 0; i < k->n; i++) {
        struct named *last = kept ? &k->v[kept - 1] : NULL, *n = &k->v[i];
        if (!last || compare(last, n) != 0) {
            k->v[kept++] = *n;
            continue;
        }
        if (n->section || (n->listed && !last->section))
            last->m.place = n->m.place;
        last->section = last->section ? last->section : n->section;
        last->listed = last->listed ? last->listed : n->listed;
        last->described = last->described ? last->described : n->described;
    }
    k->n = kept;
}

/* The entry of the whole service that v[i] belongs to: the last of its neighbours. */
static const struct named *wide_of(const struct maker *k, size_t i)
{
    while (i + 1 < k->n && slice_eq(k->v[i].m.service, k->v[i + 1].m.service))
        i++;
    return k->v[i].m.method.n == 0 ? &k->v[i] : NULL;
}

/* A copy of the entry whose name lives as long as the snapshot. */
static struct policy_method keep(struct loader *l, const struct policy_method *m)
{
    struct policy_method kept = *m;
    kept.service = memory_copy(&l->s->arena, m->service);
    kept.method = memory_copy(&l->s->arena, m->method);
    return kept;
}

static void make_all(struct maker *k, struct policy *policy)
{
    const struct named *wide = NULL;
    collect(k);
    if (k->n > 1)
        qsort(k->v, k->n, sizeof *k->v, compare);
    unite(k);
    policy->methods = memory_array(&k->l->s->arena, k->n, sizeof *policy->methods);
    for (size_t i = 0; i < k->n; i++) {
        if (i == 0 || !slice_eq(k->v[i - 1].m.service, k->v[i].m.service))
            wide = wide_of(k, i);
        make_effective(k, &k->v[i], wide);
        policy->methods[policy->methods_n++] = keep(k->l, &k->v[i].m);
    }
}

void load_methods(struct loader *l, const struct node *section, struct policy *policy)
{
    struct maker k = {.l = l,
                      .section = section,
                      .methods = node_get(section, "methods"),
                      .idempotent = node_get(section, "idempotent"),
                      .descriptors_node = node_get(section, "descriptors"),
                      .retry = load_retry(l, node_get(section, "retry"))};
    policy->base = method_defaults;
    lay_policy(&k, &policy->base);
    k.descriptors = load_descriptors(l, k.descriptors_node);
    k.retries = memory_array(&l->tree->arena, k.methods ? k.methods->n : 0, sizeof *k.retries);
    NODE_FOR(n, k.methods)
        if (!n->bad)
            k.retries[n->index] = load_retry(l, node_get(n, "retry"));
    make_all(&k, policy);
}
