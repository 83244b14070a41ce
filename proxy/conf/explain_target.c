/* The second half of an explanation: what holds for a call once its service is known. */
#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "conf/value.h"
#include "core/deadline.h"

const char *explain_balance(enum balance_kind kind)
{
    static const char *const names[] = {
#define X(name, text) [BALANCE_##name] = text,
        BALANCE_LIST(X)
#undef X
    };
    return names[kind];
}

const char *explain_duration(struct arena *a, ns_t ns)
{
    char text[32];
    return memory_copy(a, slice_str(value_format_duration(ns, text, sizeof text))).p;
}

void explain_add(struct explain_target *t, const char *key, const char *value, const char *from, const char *why)
{
    explain_row(t->rows, &t->rows_n, (struct explain_row){key, value, from, why});
}

void explain_add_placed(struct arena *a, struct explain_target *t, const char *key, const char *value,
                        struct place place)
{
    explain_add(t, key, value, explain_from(a, place), "");
}

static const char *endpoint_list(struct arena *a, const struct service_conf *s)
{
    const char *list = "";
    if (s->source != ENDPOINTS_STATIC)
        return s->source_text;
    for (size_t i = 0; i < s->endpoints_n; i++) {
        char text[ADDRESS_TEXT_MAX];
        address_format(&s->endpoints[i], text, sizeof text);
        list = memory_format(a, "%s%s%s", list, i ? " " : "", text);
    }
    return list;
}

static const char *source_note(enum endpoint_source source)
{
    switch (source) {
    case ENDPOINTS_STATIC:
        break;
    case ENDPOINTS_DNS:
        return "looked up in DNS, A and AAAA, and again when the TTL is over";
    case ENDPOINTS_SRV:
        return "looked up in DNS, SRV, and again when the TTL is over";
    case ENDPOINTS_FILE:
        return "read from the file, and again when it changes";
    case ENDPOINTS_KUBERNETES:
        return "EndpointSlices of the Service, watched";
    case ENDPOINTS_ORIGINAL:
        return "the captured connection of the call brings it";
    }
    return "";
}

static void add_tls(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const char *from = explain_from(a, s->tls_place);
    if (s->tls == TLS_MODE_OFF) {
        explain_add(t, "tls", "off", s->inbound ? "default" : from,
                    s->inbound ? "a forward is plain HTTP/2" : "nobody is asked who they are");
        return;
    }
    explain_add(t, "tls", s->tls == TLS_MODE_MUTUAL ? "mutual" : "server", from, "");
    if (s->peer_identity)
        explain_add_placed(a, t, "peer.identity", s->peer_identity, s->peer_place);
    if (s->peer_dns)
        explain_add_placed(a, t, "peer.dns", s->peer_dns, s->peer_place);
}

static void add_balance(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const struct balance_options *o = &s->balance_options;
    explain_add_placed(a, t, "balance", explain_balance(s->balance), s->balance_place);
    if (o->slow_start_ns)
        explain_add_placed(a, t, "balance.slow_start", explain_duration(a, o->slow_start_ns), o->slow_start_place);
    if (s->balance != BALANCE_PEAK_EWMA)
        return;
    explain_add_placed(a, t, "balance.decay", explain_duration(a, o->ewma_decay_ns), o->decay_place);
    explain_add_placed(a, t, "balance.initial", explain_duration(a, o->ewma_initial_ns), o->initial_place);
    explain_add_placed(a, t, "balance.failure_counts", explain_duration(a, o->failure_counts_ns),
                       o->failure_counts_place);
}

static void add_service(struct arena *a, struct explain_target *t)
{
    const struct service_conf *s = t->service;
    const char *share = "";
    if (t->weight_sum != t->weight)
        share = memory_format(a, "%u of %llu calls", t->weight, (unsigned long long)t->weight_sum);
    explain_add(t, "service", s->name, explain_from(a, s->place), share);
    t->endpoints = endpoint_list(a, s);
    explain_add(t, "endpoints", t->endpoints, explain_from(a, s->endpoints_place), source_note(s->source));
    add_tls(a, t);
    switch (s->authority) {
    case AUTHORITY_KEEP:
        explain_add_placed(a, t, "authority", "keep", s->authority_place);
        break;
    case AUTHORITY_SERVICE:
    case AUTHORITY_NAME:
        explain_add_placed(a, t, "authority", s->authority_name, s->authority_place);
        break;
    }
    add_balance(a, t);
    explain_add(t, "policy", *s->policy->name ? s->policy->name : "built-in", explain_from(a, s->policy->place),
                *s->policy->name ? "" : "no policy is named");
}

/* The deadline: the shorter of the caller's and the policy's. Returns it. */
static ns_t add_deadline(struct arena *a, struct explain_target *t, const struct method_policy *m, ns_t caller)
{
    ns_t deadline = deadline_of(0, caller, m->timeout_ns);
    const char *timeout_from = explain_from(a, m->timeout_place);
    if (m->timeout_ns)
        explain_add(t, "timeout", explain_duration(a, m->timeout_ns), timeout_from,
                    caller < m->timeout_ns ? "the caller's is shorter and rules" : "");
    else
        explain_add(t, "timeout", "off", timeout_from,
                    m->timeout_withheld     ? "written for the whole policy, and this method streams"
                    : m->timeout_place.line ? "written so; the caller's alone"
                                            : "none is written; the caller's alone");
    if (deadline == NS_NEVER)
        explain_add(t, "deadline", "none", "", "neither the caller nor the policy sets one");
    else if (deadline == caller)
        explain_add(t, "deadline", explain_duration(a, deadline), "caller", "");
    else
        explain_add(t, "deadline", explain_duration(a, deadline), timeout_from, "");
    return deadline;
}

static void add_number(struct arena *a, struct explain_target *t, const char *key, uint32_t number, struct place place)
{
    explain_add_placed(a, t, key, memory_format(a, "%u", number), place);
}

static void add_values(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    const struct limits_policy *l = &t->service->policy->limits;
    if (m->idle_timeout_ns)
        explain_add_placed(a, t, "idle_timeout", explain_duration(a, m->idle_timeout_ns), m->idle_timeout_place);
    else
        explain_add(t, "idle_timeout", "off", explain_from(a, m->idle_timeout_place), "written so");
    add_number(a, t, "limits.max_requests", l->max_requests, l->max_requests_place);
    add_number(a, t, "limits.max_pending", l->max_pending, l->max_pending_place);
    explain_add_placed(a, t, "limits.pending_timeout", explain_duration(a, l->pending_timeout_ns),
                       l->pending_timeout_place);
    add_number(a, t, "limits.max_connections_per_endpoint", l->max_connections_per_endpoint, l->max_connections_place);
    explain_terms(a, t, m);
    explain_add(t, "hedge", "off", "default", "absent means off; this version does not support it yet");
    explain_add(t, "outlier_detection", "off", "default", "absent means off; this version does not support it yet");
}

void explain_target(struct arena *a, const struct route *r, size_t i, const struct explain_query *q,
                    struct explain_target *out)
{
    const struct method_policy *m = policy_find(r->targets[i].service->policy, slice_str(q->path));
    out->service = r->targets[i].service;
    out->weight = r->targets[i].weight;
    out->weight_sum = r->weight_sum;
    add_service(a, out);
    ns_t deadline = add_deadline(a, out, m, q->timeout_ns);
    add_values(a, out, m);
    explain_plan(a, out, m, deadline);
}
