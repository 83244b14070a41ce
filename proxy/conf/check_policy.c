/* What is suspicious about policies: retries and timeouts that reach other methods than was meant, methods that the
 * descriptors do not know, breakers that never open. Warnings only. */
#include "conf/check.h"
#include "conf/loader.h"
#include "core/status.h"

/* Whether a retry written at this place, for more than one method, holds for some. */
static bool reaches(const struct policy *policy, struct place place)
{
    for (size_t i = 0; i < policy->methods_n; i++) {
        const struct retry_policy *retry = policy->methods[i].effective.retry;
        if (retry && retry->place.line == place.line && retry->place.column == place.column)
            return true;
    }
    return false;
}

static void check_reach(struct loader *l, const struct policy *policy, const struct node *section)
{
    const struct node *retry = loader_on(node_get(section, "retry"));
    if (retry && !reaches(policy, node_key_place(l->tree, retry)))
        node_warn(
            l->tree, l->p, retry,
            "reaches no method, as none is known to be idempotent, by idempotent or by descriptors; written for a "
            "method itself it holds");
}

static bool is_wide(const struct node *n)
{
    return n->key.n > 0 && n->key.p[n->key.n - 1] == '*';
}

/* What nobody has read tells nothing. */
static bool is_unread(const struct loader *l, const struct node *policy)
{
    return l->skip_files && node_find(policy, SLICE("descriptors"));
}

static void check_retries(struct loader *l, const struct policy *policy, const struct node *n)
{
    if (is_unread(l, n))
        return;
    check_reach(l, policy, n);
    NODE_FOR(section, node_get(n, "methods"))
        if (!section->bad && is_wide(section))
            check_reach(l, policy, section);
}

static bool is_on(const struct node *on, enum status status)
{
    bool found = on->kind == NODE_SCALAR && schema_value(SCHEMA_STATUS, on) == status;
    NODE_FOR(n, on)
        found |= !n->bad && schema_value(SCHEMA_STATUS, n) == status;
    return found;
}

/* A time for each attempt that never ends one, or after which nothing is tried again. */
static void check_per_try(struct loader *l, const struct node *section)
{
    const struct node *timeout = loader_on(node_get(section, "timeout")),
                      *retry = loader_on(node_get(section, "retry"));
    const struct node *per_try = node_get(retry, "per_try_timeout"), *on = node_get(retry, "on");
    if (timeout && per_try && loader_duration(per_try, 0) >= loader_duration(timeout, 0))
        node_warn(l->tree, l->p, per_try, "never acts, as the timeout beside the retry is %s", timeout->text.p);
    if (per_try && on && !is_on(on, STATUS_UNAVAILABLE))
        node_warn(l->tree, l->p, per_try,
                  "ends an attempt as UNAVAILABLE, which is not tried again here; expected UNAVAILABLE in on");
}

/* A timeout for all methods of a service, of which the descriptors say that some stream. */
static void check_streams(struct loader *l, const struct policy *policy, const struct node *section)
{
    const struct node *timeout = loader_on(node_get(section, "timeout"));
    struct place place = timeout ? node_place(l->tree, timeout) : (struct place){0};
    for (size_t i = 0; timeout && i < policy->methods_n; i++) {
        const struct policy_method *m = &policy->methods[i];
        if (m->effective.kind != METHOD_STREAMS || m->effective.timeout_place.line != place.line ||
            m->effective.timeout_place.column != place.column)
            continue;
        node_warn(l->tree, l->p, timeout,
                  "ends streams too, such as those of %.*s; a timeout or off for the method itself would rule",
                  (int)m->method.n, m->method.p);
        return;
    }
}

static void check_timeout(struct loader *l, const struct node *n)
{
    const struct node *timeout = loader_on(node_get(n, "timeout"));
    if (timeout && !node_find(n, SLICE("descriptors")))
        node_warn(l->tree, l->p, timeout,
                  "ends streams too, as no descriptors tell which methods stream; under methods it reaches only "
                  "those named");
}

/* A method that is misspelt: the descriptors know its service, but not the method. */
static void check_known(struct loader *l, const struct node *policy, const struct node *n, struct slice text,
                        struct place place)
{
    const struct descriptors *d = loader_descriptors(l, node_get(policy, "descriptors"));
    size_t slash = slice_find(text, '/');
    struct slice service = slice_sub(text, 0, slash);
    if (!d || n->bad || text.p[text.n - 1] == '*' || !descriptors_have_service(d, service) ||
        descriptors_find(d, service, slice_sub(text, slash + 1, text.n)))
        return;
    node_problem(l->p, PROBLEM_WARNING, place, n, NULL, "the descriptors know no such method of %.*s", (int)service.n,
                 service.p);
}

static void check_names(struct loader *l, const struct node *policy)
{
    const struct node *list = node_get(policy, "idempotent");
    if (list && list->kind == NODE_SCALAR)
        check_known(l, policy, list, list->text, node_place(l->tree, list));
    NODE_FOR(n, list)
        check_known(l, policy, n, n->text, node_place(l->tree, n));
    NODE_FOR(n, node_get(policy, "methods"))
        check_known(l, policy, n, n->key, node_key_place(l->tree, n));
}

static void check_breaker(struct loader *l, const struct policy *policy, const struct node *n)
{
    const struct breaker_policy *b = policy->breaker;
    const struct node *breaker = node_get(n, "circuit_breaker");
    if (b && !b->consecutive_failures && b->failure_rate.threshold <= 0 && b->slow_calls.threshold <= 0)
        node_warn(l->tree, l->p, breaker,
                  "never opens, expected one of consecutive_failures, failure_rate and slow_calls");
}

void check_policies(struct loader *l)
{
    NODE_FOR(n, l->policies) {
        const struct policy *policy = l->s->policies[n->index];
        if (n->bad)
            continue;
        if (!l->policy_used[n->index])
            node_warn(l->tree, l->p, n, "no service and no listener names this policy");
        check_timeout(l, n);
        check_retries(l, policy, n);
        check_per_try(l, n);
        NODE_FOR(section, node_get(n, "methods")) {
            if (section->bad)
                continue;
            check_per_try(l, section);
            if (is_wide(section))
                check_streams(l, policy, section);
        }
        check_names(l, n);
        check_breaker(l, policy, n);
    }
}
