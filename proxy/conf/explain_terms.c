/* What an explanation says of a method's kind, of its retry and why there is none, of the budget and of the breaker. */
#include "conf/explain_internal.h"
#include "conf/memory.h"
#include "core/status.h"

/* UNAVAILABLE ABORTED */
const char *explain_statuses(struct arena *a, uint32_t set)
{
    const char *text = "";
    for (unsigned i = 0; i < STATUS_COUNT; i++)
        if (set & STATUS_BIT(i))
            text = memory_format(a, "%s%s%s", text, *text ? " " : "", status_name((enum status)i));
    return text;
}

const char *explain_size(struct arena *a, uint32_t bytes)
{
    return bytes % (1 << 20) == 0   ? memory_format(a, "%uMiB", bytes >> 20)
           : bytes % (1 << 10) == 0 ? memory_format(a, "%uKiB", bytes >> 10)
                                    : memory_format(a, "%uB", bytes);
}

/* 2.5 for 2500 thousandths. */
static const char *decimal(struct arena *a, double value)
{
    return memory_format(a, "%.10g", value);
}

static const char *percent(struct arena *a, double share)
{
    return memory_format(a, "%.10g%%", share * 100);
}

static void add_kind(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    const char *from = explain_from(a, m->kind_place);
    switch (m->kind) {
    case METHOD_KIND_UNKNOWN:
        explain_add(t, "kind", "unknown", "", "no descriptors tell whether it streams");
        break;
    case METHOD_UNARY:
        explain_add(t, "kind", "unary", from, "the descriptors say so");
        break;
    case METHOD_STREAMS:
        explain_add(t, "kind", "streams", from, "the descriptors say so");
        break;
    }
    if (!m->idempotent)
        explain_add(t, "idempotent", "not known", "", "neither idempotent nor descriptors say so");
    else
        explain_add(t, "idempotent", "yes", explain_from(a, m->idempotent_place),
                    m->idempotent_why
                        ? memory_format(a, "the descriptors give it idempotency_level %s", m->idempotent_why)
                        : "it is listed there");
}

static void add_backoff(struct arena *a, struct explain_target *t, const struct retry_policy *r)
{
    explain_add(t, "retry.backoff",
                memory_format(a, "%s to %s, times %s", explain_duration(a, r->backoff_initial_ns),
                              explain_duration(a, r->backoff_max_ns), decimal(a, r->backoff_multiplier)),
                explain_from(a, r->backoff_place), "+-20 % by chance");
}

static void add_retry(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    const struct retry_policy *r = m->retry;
    const char *from = explain_from(a, m->retry_place);
    if (!r) {
        explain_add(t, "retry", "off", from,
                    m->retry_withheld     ? "written there for more methods than this one, which is not known to be "
                                            "idempotent: nothing is paid twice"
                    : m->retry_place.line ? "written so"
                                          : "none is written");
        return;
    }
    explain_add(
        t, "retry", "on", from,
        m->idempotent ? "" : "written for this method itself, so it holds although it is not known to be idempotent");
    explain_add_placed(a, t, "retry.max_attempts", memory_format(a, "%u", r->max_attempts), r->max_attempts_place);
    explain_add_placed(a, t, "retry.on", explain_statuses(a, r->on), r->on_place);
    add_backoff(a, t, r);
    explain_add(t, "retry.per_try_timeout", r->per_try_timeout_ns ? explain_duration(a, r->per_try_timeout_ns) : "off",
                explain_from(a, r->per_try_timeout_place), "");
    explain_add_placed(a, t, "retry.buffer", explain_size(a, r->buffer_bytes), r->buffer_place);
    explain_add_placed(a, t, "retry.hold_headers", r->hold_headers ? "true" : "false", r->hold_headers_place);
}

static void add_budget(struct arena *a, struct explain_target *t)
{
    const struct budget_policy *b = &t->service->policy->budget;
    if (!b->present) {
        explain_add(t, "retry_budget", "off", explain_from(a, b->place), "written so: retries need no token");
        return;
    }
    explain_add(t, "retry_budget.max_tokens", decimal(a, b->max_milli / 1e3), explain_from(a, b->max_place),
                "of the service, in this process");
    explain_add_placed(a, t, "retry_budget.token_ratio", decimal(a, b->ratio_milli / 1e3), b->ratio_place);
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

static const char *rate_text(struct arena *a, const struct breaker_rate *r)
{
    return r->threshold > 0 ? memory_format(a, "%s of at least %u calls in %s", percent(a, r->threshold),
                                            r->min_requests, explain_duration(a, r->window_ns))
                            : "off";
}

static const char *slow_text(struct arena *a, const struct breaker_policy *b)
{
    const char *rate = rate_text(a, &b->slow_calls);
    return b->slow_calls.threshold > 0
               ? memory_format(a, "%s take longer than %s", rate, explain_duration(a, b->slow_ns))
               : rate;
}

static const char *open_text(struct arena *a, const struct breaker_policy *b)
{
    return memory_format(a, "%s to %s, times %s, +-%s", explain_duration(a, b->open_base_ns),
                         explain_duration(a, b->open_max_ns), decimal(a, b->open_multiplier),
                         percent(a, b->open_jitter));
}

static void add_breaker(struct arena *a, struct explain_target *t)
{
    const struct breaker_policy *b = t->service->policy->breaker;
    if (!b) {
        explain_add(t, "circuit_breaker", "off", "default", "none is written");
        return;
    }
    const char *row = b->consecutive_failures ? memory_format(a, "%u", b->consecutive_failures) : "off";
    explain_add_placed(a, t, "circuit_breaker", "on", b->place);
    explain_add_placed(a, t, "circuit_breaker.scope", scope_text(b->scope), b->scope_place);
    explain_add_placed(a, t, "circuit_breaker.consecutive_failures", row, b->consecutive_place);
    explain_add_placed(a, t, "circuit_breaker.failure_rate", rate_text(a, &b->failure_rate), b->failure_rate_place);
    explain_add_placed(a, t, "circuit_breaker.slow_calls", slow_text(a, b), b->slow_calls_place);
    explain_add_placed(a, t, "circuit_breaker.failures", explain_statuses(a, b->failures), b->failures_place);
    explain_add_placed(a, t, "circuit_breaker.open", open_text(a, b), b->open_place);
    explain_add_placed(a, t, "circuit_breaker.probes", memory_format(a, "%u", b->probes), b->probes_place);
    explain_add_placed(a, t, "circuit_breaker.ramp", b->ramp_ns ? explain_duration(a, b->ramp_ns) : "off",
                       b->ramp_place);
    explain_add_placed(a, t, "circuit_breaker.max_open", percent(a, b->max_open), b->max_open_place);
    explain_add_placed(a, t, "circuit_breaker.when_all_open", b->try_when_all_open ? "try" : "fail",
                       b->when_all_open_place);
}

void explain_terms(struct arena *a, struct explain_target *t, const struct method_policy *m)
{
    add_kind(a, t, m);
    add_retry(a, t, m);
    add_budget(a, t);
    add_breaker(a, t);
}
