/* The second half of an explanation: what holds for a call once its service is known. */
#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "conf/value.h"
#include "core/deadline.h"

static const char *balance_text(enum balance_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [BALANCE_##name] = text,
        BALANCE_LIST(X)
#undef X
    };
    return names[kind];
}

static const char *duration_text(struct arena *a, ns_t ns)
{
    char text[32];
    return memory_copy(a, slice_str(value_format_duration(ns, text, sizeof text))).p;
}

static void add(struct explain_target *t, const char *key, const char *value, const char *from, const char *why)
{
    explain_row(t->rows, &t->rows_n, (struct explain_row){key, value, from, why});
}

static void add_placed(struct arena *a, struct explain_target *t, const char *key, const char *value,
                       struct place place)
{
    add(t, key, value, explain_from(a, place), "");
}

static const char *endpoint_list(struct arena *a, const struct service_conf *s)
{
    const char *list = "";
    for (size_t i = 0; i < s->endpoints_n; i++) {
        char text[ADDRESS_TEXT_MAX];
        address_format(&s->endpoints[i], text, sizeof text);
        list = memory_format(a, "%s%s%s", list, i ? " " : "", text);
    }
    return list;
}

static void add_tls(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const char *from = explain_from(a, s->tls_place);
    if (s->tls == TLS_MODE_OFF) {
        add(t, "tls", "off", s->inbound ? "default" : from,
            s->inbound ? "a forward is plain HTTP/2" : "nobody is asked who they are");
        return;
    }
    add(t, "tls", s->tls == TLS_MODE_MUTUAL ? "mutual" : "server", from, "");
    if (s->peer_identity)
        add_placed(a, t, "peer.identity", s->peer_identity, s->peer_place);
    if (s->peer_dns)
        add_placed(a, t, "peer.dns", s->peer_dns, s->peer_place);
}

static void add_service(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const char *share = "";
    if (t->weight_sum != t->weight)
        share = memory_format(a, "%u of %llu calls", t->weight, (unsigned long long)t->weight_sum);
    add(t, "service", s->name, explain_from(a, s->place), share);
    t->endpoints = endpoint_list(a, s);
    add_placed(a, t, "endpoints", t->endpoints, s->endpoints_place);
    add_tls(a, t);
    switch (s->authority) {
    case AUTHORITY_KEEP:
        add_placed(a, t, "authority", "keep", s->authority_place);
        break;
    case AUTHORITY_SERVICE:
    case AUTHORITY_NAME:
        add_placed(a, t, "authority", s->authority_name, s->authority_place);
        break;
    }
    add_placed(a, t, "balance", balance_text(s->balance), s->balance_place);
    add(t, "policy", *s->policy->name ? s->policy->name : "built-in", explain_from(a, s->policy->place),
        *s->policy->name ? "" : "no policy is named");
}

/* The deadline: the shorter of the caller's and the policy's. */
static void add_deadline(struct arena *a, struct explain_target *t, const struct method_policy *m, ns_t caller)
{
    ns_t deadline = deadline_of(0, caller, m->timeout_ns);
    const char *timeout_from = explain_from(a, m->timeout_place);
    if (m->timeout_ns)
        add(t, "timeout", duration_text(a, m->timeout_ns), timeout_from,
            caller < m->timeout_ns ? "the caller's is shorter and rules" : "");
    else
        add(t, "timeout", "off", timeout_from,
            m->timeout_place.line ? "written so; the caller's alone" : "none is written; the caller's alone");
    if (deadline == NS_NEVER)
        add(t, "deadline", "none", "", "neither the caller nor the policy sets one");
    else if (deadline == caller)
        add(t, "deadline", duration_text(a, deadline), "caller", "");
    else
        add(t, "deadline", duration_text(a, deadline), timeout_from, "");
}

static void add_number(struct arena *a, struct explain_target *t, const char *key, uint32_t number, struct place place)
{
    add_placed(a, t, key, memory_format(a, "%u", number), place);
}

static void add_values(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    const struct limits_policy *l = &t->service->policy->limits;
    if (m->idle_timeout_ns)
        add_placed(a, t, "idle_timeout", duration_text(a, m->idle_timeout_ns), m->idle_timeout_place);
    else
        add(t, "idle_timeout", "off", explain_from(a, m->idle_timeout_place), "written so");
    add_number(a, t, "limits.max_requests", l->max_requests, l->max_requests_place);
    add_number(a, t, "limits.max_pending", l->max_pending, l->max_pending_place);
    add_placed(a, t, "limits.pending_timeout", duration_text(a, l->pending_timeout_ns), l->pending_timeout_place);
    add_number(a, t, "limits.max_connections_per_endpoint", l->max_connections_per_endpoint, l->max_connections_place);
    add(t, "retry", "off", "default", "absent means off; this version does not support it yet");
    add(t, "hedge", "off", "default", "absent means off; this version does not support it yet");
    add(t, "circuit_breaker", "off", "default", "absent means off; this version does not support it yet");
    add(t, "outlier_detection", "off", "default", "absent means off; this version does not support it yet");
}

static void plan(struct explain_target *t, const char *line)
{
    if (t->plan_n < EXPLAIN_PLAN_MAX)
        t->plan[t->plan_n++] = line;
}

static void add_plan(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const struct limits_policy *l = &s->policy->limits;
    plan(t, memory_format(a, "attempt 1: %s by %s",
                          s->endpoints_n == 1 ? "the only endpoint"
                                              : memory_format(a, "any of %zu endpoints", s->endpoints_n),
                          balance_text(s->balance)));
    plan(t,
         memory_format(a, "when none has room: waits up to %s among at most %u, then UNAVAILABLE, reason NO_ENDPOINT",
                       duration_text(a, l->pending_timeout_ns), l->max_pending));
    plan(t, "sent again only when it provably never left, or once when it was refused unprocessed; another endpoint "
            "comes first");
    plan(t, "any other failure is final: no retry and no hedge");
}

void explain_target(struct arena *a, const struct route *r, size_t i, const struct explain_query *q,
                    struct explain_target *out)
{
    const struct method_policy *m = policy_find(r->targets[i].service->policy, slice_str(q->path));
    out->service = r->targets[i].service;
    out->weight = r->targets[i].weight;
    out->weight_sum = r->weight_sum;
    add_service(a, out);
    add_deadline(a, out, m, q->timeout_ns);
    add_values(a, out, m);
    add_plan(a, out);
}
