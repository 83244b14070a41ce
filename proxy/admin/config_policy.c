/* From the fields of a policy to JSON, in the words of the file and with units in the names. */
#include "admin/config_policy.h"

#include "core/status.h"

#include <stdio.h>

static json_int_t milliseconds(ns_t t)
{
    return t / NS_PER_MS;
}

static json_t *statuses_json(uint32_t set)
{
    json_t *names = json_array();
    for (unsigned status = 0; status < STATUS_COUNT; status++)
        if (set & STATUS_BIT(status))
            json_array_append_new(names, json_string(status_name(status)));
    return names;
}

static json_t *retry_json(const struct retry_policy *r)
{
    if (!r)
        return json_null();
    return json_pack("{s:i, s:o, s:{s:I, s:I, s:f}, s:I, s:I, s:b}", "max_attempts", (int)r->max_attempts, "on",
                     statuses_json(r->on), "backoff", "initial_ms", milliseconds(r->backoff_initial_ns), "max_ms",
                     milliseconds(r->backoff_max_ns), "multiplier", r->backoff_multiplier, "per_try_timeout_ms",
                     milliseconds(r->per_try_timeout_ns), "buffer_bytes", (json_int_t)r->buffer_bytes, "hold_headers",
                     (int)r->hold_headers);
}

static const char *kind_text(enum method_kind kind)
{
    switch (kind) {
    case METHOD_KIND_UNKNOWN:
        return "unknown";
    case METHOD_UNARY:
        return "unary";
    case METHOD_STREAMS:
        return "streams";
    }
    return "";
}

static json_t *method_json(const struct method_policy *m)
{
    return json_pack("{s:I, s:I, s:s, s:b, s:o, s:b}", "timeout_ms", milliseconds(m->timeout_ns), "idle_timeout_ms",
                     milliseconds(m->idle_timeout_ns), "kind", kind_text(m->kind), "idempotent", (int)m->idempotent,
                     "retry", retry_json(m->retry), "retry_withheld", (int)m->retry_withheld);
}

static json_t *methods_json(const struct policy *p)
{
    json_t *methods = json_object();
    for (size_t i = 0; i < p->methods_n; i++) {
        char name[512];
        const struct policy_method *m = &p->methods[i];
        snprintf(name, sizeof name, "%.*s/%.*s", (int)m->service.n, m->service.p, m->method.n ? (int)m->method.n : 1,
                 m->method.n ? m->method.p : "*");
        json_object_set_new(methods, name, method_json(&m->effective));
    }
    return methods;
}

static json_t *budget_json(const struct budget_policy *b)
{
    if (!b->present)
        return json_null();
    return json_pack("{s:f, s:f}", "max_tokens", b->max_milli / 1e3, "token_ratio", b->ratio_milli / 1e3);
}

static const char *scope_text(enum breaker_scope scope)
{
    switch (scope) {
    case BREAKER_SCOPE_ENDPOINT_METHOD:
        return "endpoint_method";
    case BREAKER_SCOPE_ENDPOINT:
        return "endpoint";
    case BREAKER_SCOPE_SERVICE:
        return "service";
    }
    return "";
}

static json_t *rate_json(const struct breaker_rate *r)
{
    if (r->threshold <= 0)
        return json_null();
    return json_pack("{s:f, s:I, s:I}", "threshold_percent", r->threshold * 100, "window_ms",
                     milliseconds(r->window_ns), "min_requests", (json_int_t)r->min_requests);
}

static json_t *slow_json(const struct breaker_policy *b)
{
    json_t *slow = rate_json(&b->slow_calls);
    if (json_is_object(slow))
        json_object_set_new(slow, "longer_than_ms", json_integer(milliseconds(b->slow_ns)));
    return slow;
}

static json_t *breaker_json(const struct breaker_policy *b)
{
    if (!b)
        return json_null();
    json_t *open = json_pack("{s:I, s:I, s:f, s:f}", "base_ms", milliseconds(b->open_base_ns), "max_ms",
                             milliseconds(b->open_max_ns), "multiplier", b->open_multiplier, "jitter_percent",
                             b->open_jitter * 100);
    return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:f, s:s}", "scope", scope_text(b->scope),
                     "consecutive_failures", (json_int_t)b->consecutive_failures, "failure_rate",
                     rate_json(&b->failure_rate), "slow_calls", slow_json(b), "failures", statuses_json(b->failures),
                     "open", open, "probes", (json_int_t)b->probes, "ramp_ms", milliseconds(b->ramp_ns),
                     "max_open_percent", b->max_open * 100, "when_all_open", b->try_when_all_open ? "try" : "fail");
}

static json_t *limits_json(const struct limits_policy *l)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "max_requests", (json_int_t)l->max_requests, "max_pending",
                     (json_int_t)l->max_pending, "pending_timeout_ms", milliseconds(l->pending_timeout_ns),
                     "max_connections_per_endpoint", (json_int_t)l->max_connections_per_endpoint);
}

json_t *config_policy_json(const struct policy *p)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "name", p->name, "all", method_json(&p->base), "limits",
                     limits_json(&p->limits), "retry_budget", budget_json(&p->budget), "circuit_breaker",
                     breaker_json(p->breaker), "methods", methods_json(p));
}
