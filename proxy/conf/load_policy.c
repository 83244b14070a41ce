/* The section `policies`: what belongs to a whole policy. load_methods.c has what holds for a method. */
#include "conf/loader.h"
#include "conf/memory.h"

static const struct limits_policy limits_defaults = {
    .max_requests = 1024, .max_pending = 1024, .pending_timeout_ns = NS_PER_S, .max_connections_per_endpoint = 4};

static void set_number(struct loader *l, const struct node *n, uint32_t *number, struct place *place)
{
    *number = loader_number(n, *number);
    if (n)
        *place = loader_place(l, n);
}

static struct limits_policy load_limits(struct loader *l, const struct node *n)
{
    struct limits_policy limits = limits_defaults;
    set_number(l, node_get(n, "max_requests"), &limits.max_requests, &limits.max_requests_place);
    set_number(l, node_get(n, "max_pending"), &limits.max_pending, &limits.max_pending_place);
    loader_set_duration(l, node_get(n, "pending_timeout"), &limits.pending_timeout_ns, &limits.pending_timeout_place);
    set_number(l, node_get(n, "max_connections_per_endpoint"), &limits.max_connections_per_endpoint,
               &limits.max_connections_place);
    return limits;
}

static struct policy *new_policy(struct loader *l, const char *name)
{
    struct policy *policy = memory_take(&l->s->arena, sizeof *policy);
    policy->name = name;
    policy->limits = limits_defaults;
    policy->budget = load_budget(l, NULL);
    return policy;
}

static struct policy *load_policy(struct loader *l, const struct node *n)
{
    struct policy *policy = new_policy(l, memory_copy(&l->s->arena, n->key).p);
    policy->place = loader_key_place(l, n);
    if (n->bad)
        return policy;
    policy->limits = load_limits(l, node_get(n, "limits"));
    policy->budget = load_budget(l, node_get(n, "retry_budget"));
    policy->breaker = load_breaker(l, node_get(n, "circuit_breaker"));
    load_methods(l, n, policy);
    return policy;
}

void load_policies(struct loader *l)
{
    size_t n = l->policies ? l->policies->n : 0;
    l->s->policies = memory_array(&l->s->arena, n + 1, sizeof *l->s->policies);
    l->policy_used = memory_array(&l->tree->arena, n, sizeof *l->policy_used);
    NODE_FOR(child, l->policies)
        l->s->policies[l->s->policies_n++] = load_policy(l, child);
    struct policy *built_in = new_policy(l, "");
    load_methods(l, NULL, built_in);
    l->s->policies[l->s->policies_n++] = built_in;
}
