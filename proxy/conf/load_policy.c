/* The section `policies`: values with their places, and the merging of narrower sections over wider ones. */
#include "conf/loader.h"
#include "conf/memory.h"

#include <stdlib.h>

static const struct method_policy method_defaults = {.idle_timeout_ns = 300 * NS_PER_S};

static const struct limits_policy limits_defaults = {
    .max_requests = 1024, .max_pending = 1024, .pending_timeout_ns = NS_PER_S, .max_connections_per_endpoint = 4};

static void set_duration(struct loader *l, const struct node *n, ns_t *ns, struct place *place)
{
    if (!n)
        return;
    *ns = schema_is_off(n) ? 0 : (ns_t)schema_value(SCHEMA_DURATION, n);
    *place = loader_place(l, n);
}

static void set_number(struct loader *l, const struct node *n, uint32_t *number, struct place *place)
{
    if (!n)
        return;
    *number = (uint32_t)schema_value(SCHEMA_INT, n);
    *place = loader_place(l, n);
}

/* Lays the fields of a section over what holds without it. */
static struct method_policy merge(struct loader *l, const struct node *section, struct method_policy under)
{
    set_duration(l, node_get(section, "timeout"), &under.timeout_ns, &under.timeout_place);
    set_duration(l, node_get(section, "idle_timeout"), &under.idle_timeout_ns, &under.idle_timeout_place);
    return under;
}

static struct limits_policy load_limits(struct loader *l, const struct node *n)
{
    struct limits_policy limits = limits_defaults;
    set_number(l, node_get(n, "max_requests"), &limits.max_requests, &limits.max_requests_place);
    set_number(l, node_get(n, "max_pending"), &limits.max_pending, &limits.max_pending_place);
    set_duration(l, node_get(n, "pending_timeout"), &limits.pending_timeout_ns, &limits.pending_timeout_place);
    set_number(l, node_get(n, "max_connections_per_endpoint"), &limits.max_connections_per_endpoint,
               &limits.max_connections_place);
    return limits;
}

static bool is_wide(const struct node *n)
{
    return n->key.n > 2 && n->key.p[n->key.n - 1] == '*';
}

/* The section pkg.Service/ with a star that holds under the exact one, or NULL. */
static const struct node *wider(struct loader *l, const struct node *methods, struct slice service)
{
    const char *key = memory_format(&l->tree->arena, "%.*s/*", (int)service.n, service.p);
    return node_get(methods, key);
}

static void load_method(struct loader *l, const struct node *methods, const struct node *n, struct policy *policy)
{
    struct policy_method *m = &policy->methods[policy->methods_n++];
    struct slice key = memory_copy(&l->s->arena, n->key);
    size_t slash = slice_find(key, '/');
    m->service = slice_sub(key, 0, slash);
    m->method = is_wide(n) ? slice_make(key.p + key.n, 0) : slice_sub(key, slash + 1, key.n);
    m->place = (struct place){l->s->file, n->key_line, n->key_column};
    m->effective = policy->base;
    if (!is_wide(n))
        m->effective = merge(l, wider(l, methods, m->service), m->effective);
    m->effective = merge(l, n, m->effective);
}

static int compare_entries(const void *left, const void *right)
{
    const struct policy_method *m = left;
    return policy_compare(m->service, m->method, right);
}

static void load_methods(struct loader *l, const struct node *methods, struct policy *policy)
{
    policy->methods = memory_array(&l->s->arena, methods ? methods->n : 0, sizeof *policy->methods);
    NODE_FOR(n, methods)
        if (!n->bad)
            load_method(l, methods, n, policy);
    if (policy->methods_n > 1)
        qsort(policy->methods, policy->methods_n, sizeof *policy->methods, compare_entries);
}

static struct policy *new_policy(struct loader *l, const char *name)
{
    struct policy *policy = memory_take(&l->s->arena, sizeof *policy);
    policy->name = name;
    policy->base = method_defaults;
    policy->limits = limits_defaults;
    return policy;
}

static struct policy *load_policy(struct loader *l, const struct node *n)
{
    struct policy *policy = new_policy(l, memory_copy(&l->s->arena, n->key).p);
    policy->place = (struct place){l->s->file, n->key_line, n->key_column};
    if (n->bad)
        return policy;
    policy->base = merge(l, n, method_defaults);
    policy->limits = load_limits(l, node_get(n, "limits"));
    load_methods(l, node_get(n, "methods"), policy);
    return policy;
}

void load_policies(struct loader *l)
{
    size_t n = l->policies ? l->policies->n : 0;
    l->s->policies = memory_array(&l->s->arena, n + 1, sizeof *l->s->policies);
    l->policy_used = memory_array(&l->tree->arena, n, sizeof *l->policy_used);
    NODE_FOR(child, l->policies)
        l->s->policies[l->s->policies_n++] = load_policy(l, child);
    l->s->policies[l->s->policies_n++] = new_policy(l, "");
}
