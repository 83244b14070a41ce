/* Tables of metric names over the fields they show. */
#include "telemetry/counters.h"

#define FIELD(name) offsetof(struct worker_stats, name)

/* A family of one value, or of several under one label: rows of the same family follow each other. */
struct row {
    const char *family, *help;
    const char *label, *value; /* NULL: no label */
    size_t field, minus;       /* offsets in worker_stats; minus 0: a counter, else a gauge field - minus */
};

static const struct row rows[] = {
    {"outrigger_downstream_connections_accepted_total", "Connections accepted.", NULL, NULL,
     FIELD(connections_accepted), 0},
    {"outrigger_downstream_connections", "Accepted connections that are open.", NULL, NULL, FIELD(connections_accepted),
     FIELD(connections_closed)},
    {"outrigger_downstream_streams_opened_total", "Streams that callers opened.", NULL, NULL, FIELD(streams_opened), 0},
    {"outrigger_downstream_streams", "Streams of callers that are open.", NULL, NULL, FIELD(streams_opened),
     FIELD(streams_closed)},
    {"outrigger_upstream_connects_total", "Connections begun to endpoints.", NULL, NULL, FIELD(upstream_connects), 0},
    {"outrigger_upstream_connect_failures_total", "Connections to endpoints that never became ready.", NULL, NULL,
     FIELD(upstream_connect_failures), 0},
    {"outrigger_upstream_disconnects_total", "Ready connections to endpoints that ended.", NULL, NULL,
     FIELD(upstream_disconnects), 0},
    {"outrigger_upstream_goaways_total", "GOAWAY frames that endpoints sent.", NULL, NULL, FIELD(upstream_goaways), 0},
    {"outrigger_peer_drains_total", "Connections ended in order because of the peer's certificates.", "cause", "ending",
     FIELD(peers_ending), 0},
    {"outrigger_peer_drains_total", NULL, "cause", "distrusted", FIELD(peers_distrusted), 0},
    {"outrigger_transparent_retries_total", "Attempts sent again because the application never saw them.", "cause",
     "unsent", FIELD(attempts_unsent), 0},
    {"outrigger_transparent_retries_total", NULL, "cause", "refused", FIELD(attempts_refused), 0},
    {"outrigger_allow_calls_total", "Calls that allow decided on; audit: passed, but would be denied.", "decision",
     "allowed", FIELD(allow_allowed), 0},
    {"outrigger_allow_calls_total", NULL, "decision", "not_allowed", FIELD(allow_not_allowed), 0},
    {"outrigger_allow_calls_total", NULL, "decision", "no_identity", FIELD(allow_no_identity), 0},
    {"outrigger_allow_calls_total", NULL, "decision", "audit_not_allowed", FIELD(allow_audit_not_allowed), 0},
    {"outrigger_allow_calls_total", NULL, "decision", "audit_no_identity", FIELD(allow_audit_no_identity), 0},
    {"outrigger_io_calls_total", "System calls of the data path.", "call", "read", FIELD(reads), 0},
    {"outrigger_io_calls_total", NULL, "call", "write", FIELD(writes), 0},
    {"outrigger_io_calls_total", NULL, "call", "poll", FIELD(polls), 0},
    {"outrigger_io_bytes_total", "Bytes on all connections, both sides, before encryption.", "direction", "received",
     FIELD(bytes_received), 0},
    {"outrigger_io_bytes_total", NULL, "direction", "sent", FIELD(bytes_sent), 0},
};

static uint64_t sum_field(const struct worker_stats *const *stats, size_t n, size_t field)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += counter_get((const counter_t *)(const void *)((const char *)stats[i] + field));
    return sum;
}

/* What is closed is read first, so that a gauge never shows less than none. */
static uint64_t value_of(const struct row *row, const struct worker_stats *const *stats, size_t n)
{
    if (row->minus == 0)
        return sum_field(stats, n, row->field);
    uint64_t minus = sum_field(stats, n, row->minus);
    uint64_t plus = sum_field(stats, n, row->field);
    return plus > minus ? plus - minus : 0;
}

static void render_answers(struct prometheus *p, const struct worker_stats *const *stats, size_t n)
{
    prometheus_family(p, "outrigger_local_answers_total", PROMETHEUS_COUNTER,
                      "Calls that Outrigger answered itself, by reason.");
    for (int reason = REASON_NONE + 1; reason < REASON_COUNT; reason++) {
        uint64_t sum = sum_field(stats, n, FIELD(answers) + (size_t)reason * sizeof(counter_t));
        prometheus_sample(p, PROMETHEUS_LABELS({"reason", slice_str(reason_name((enum reason)reason))}), sum);
    }
}

static void render_bounds_of(struct prometheus *p, const struct worker_stats *const *stats, size_t n,
                             enum bound_side side)
{
    for (int kind = 0; kind < BOUND_COUNT; kind++) {
        size_t field = FIELD(bounds) + ((size_t)side * BOUND_COUNT + (size_t)kind) * sizeof(counter_t);
        prometheus_sample(p,
                          PROMETHEUS_LABELS({"bound", slice_str(bound_name((enum bound_kind)kind))},
                                            {"side", slice_str(bound_side_name(side))}),
                          sum_field(stats, n, field));
    }
}

static void render_bounds(struct prometheus *p, const struct worker_stats *const *stats, size_t n)
{
    prometheus_family(p, "outrigger_bound_reached_total", PROMETHEUS_COUNTER,
                      "Times that a bound on what peers may do was reached, by the side of the peer.");
    for (int side = 0; side < BOUND_SIDES; side++)
        render_bounds_of(p, stats, n, (enum bound_side)side);
}

static void render_refusals(struct prometheus *p, const struct worker_stats *const *stats, size_t n)
{
    static const struct {
        const char *text;
        size_t field;
    } sides[] = {{"caller", FIELD(refused_callers)}, {"endpoint", FIELD(refused_endpoints)}};
    prometheus_family(p, "outrigger_handshake_failures_total", PROMETHEUS_COUNTER,
                      "TLS handshakes that failed, by whose peer it was and why.");
    for (size_t side = 0; side < 2; side++)
        for (int r = 0; r < REFUSAL_COUNT; r++)
            prometheus_sample(p,
                              PROMETHEUS_LABELS({"peer", slice_str(sides[side].text)},
                                                {"reason", slice_str(refusal_text((enum refusal)r))}),
                              sum_field(stats, n, sides[side].field + (size_t)r * sizeof(counter_t)));
}

void counters_render_workers(struct prometheus *p, const struct worker_stats *const *stats, size_t n)
{
    render_answers(p, stats, n);
    render_bounds(p, stats, n);
    render_refusals(p, stats, n);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (strcmp(p->name, row->family) != 0)
            prometheus_family(p, row->family, row->minus ? PROMETHEUS_GAUGE : PROMETHEUS_COUNTER, row->help);
        struct prometheus_label labels[2] = {{NULL, {NULL, 0}}, {NULL, {NULL, 0}}};
        if (row->label)
            labels[0] = (struct prometheus_label){row->label, slice_str(row->value)};
        prometheus_sample(p, labels, value_of(row, stats, n));
    }
}

static void render_one(struct prometheus *p, const char *name, enum prometheus_type type, const char *help,
                       uint64_t value)
{
    prometheus_family(p, name, type, help);
    prometheus_sample(p, PROMETHEUS_LABELS(), value);
}

static void render_time(struct prometheus *p, const char *name, const char *help, ns_t value)
{
    prometheus_family(p, name, PROMETHEUS_GAUGE, help);
    prometheus_sample_time(p, PROMETHEUS_LABELS(), value);
}

void counters_render_process(struct prometheus *p, const struct counters_process *facts)
{
    prometheus_family(p, "outrigger_build_info", PROMETHEUS_GAUGE, "Always 1; the version is in the label.");
    prometheus_sample(p, PROMETHEUS_LABELS({"version", slice_str(facts->version)}), 1);
    render_one(p, "outrigger_ready", PROMETHEUS_GAUGE, "1 while the process takes new calls.", facts->ready);
    render_one(p, "outrigger_draining", PROMETHEUS_GAUGE, "1 once the process drains.", facts->draining);
    render_one(p, "outrigger_workers", PROMETHEUS_GAUGE, "Worker threads.", facts->workers);
    render_one(p, "outrigger_config_generation", PROMETHEUS_GAUGE, "Number of the configuration in force.",
               facts->generation);
    prometheus_family(p, "outrigger_config_reloads_total", PROMETHEUS_COUNTER,
                      "Configurations read after the start, by what became of them.");
    prometheus_sample(p, PROMETHEUS_LABELS({"result", SLICE("taken")}), facts->reloads);
    prometheus_sample(p, PROMETHEUS_LABELS({"result", SLICE("refused")}), facts->reload_failures);
    render_one(p, "outrigger_config_last_reload_failed", PROMETHEUS_GAUGE,
               "1 while the file that was read last is not the one in force.", facts->last_reload_failed);
    render_time(p, "outrigger_config_loaded_timestamp_seconds", "When the configuration in force was taken.",
                facts->loaded_wall);
    render_time(p, "process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
                facts->started_wall);
}

enum scope_value { ACTIVE, ACTIVE_MAX, PENDING, PENDING_MAX };

static uint64_t scope_value_of(const struct counters_scope *s, enum scope_value which)
{
    switch (which) {
    case ACTIVE:
        return atomic_load_explicit(&s->limit->active, memory_order_relaxed);
    case ACTIVE_MAX:
        return s->policy->max_requests;
    case PENDING:
        return atomic_load_explicit(&s->limit->pending, memory_order_relaxed);
    case PENDING_MAX:
        return s->policy->max_pending;
    }
    return 0;
}

void counters_render_scopes(struct prometheus *p, const struct counters_scope *scopes, size_t n)
{
    static const struct {
        const char *name, *help;
    } families[] = {
        [ACTIVE] = {"outrigger_requests_active", "Calls admitted and not ended, of a service or inbound listener."},
        [ACTIVE_MAX] = {"outrigger_requests_active_max", "Calls that may be active, limits.max_requests."},
        [PENDING] = {"outrigger_requests_pending", "Active calls that wait for an endpoint."},
        [PENDING_MAX] = {"outrigger_requests_pending_max", "Calls that may wait, limits.max_pending."},
    };
    for (int which = ACTIVE; which <= PENDING_MAX; which++) {
        prometheus_family(p, families[which].name, PROMETHEUS_GAUGE, families[which].help);
        for (size_t i = 0; i < n; i++)
            prometheus_sample(p, PROMETHEUS_LABELS({"scope", slice_str(scopes[i].name)}),
                              scope_value_of(&scopes[i], (enum scope_value)which));
    }
}

static void render_budget_values(struct prometheus *p, const struct counters_budget *budgets, size_t n, bool left)
{
    for (size_t i = 0; i < n; i++) {
        const struct budget_policy *policy = budgets[i].policy;
        if (policy->present)
            prometheus_sample_milli(p, PROMETHEUS_LABELS({"scope", slice_str(budgets[i].name)}),
                                    left ? budget_tokens_milli(budgets[i].budget, policy) : policy->max_milli);
    }
}

void counters_render_budgets(struct prometheus *p, const struct counters_budget *budgets, size_t n)
{
    prometheus_family(p, "outrigger_retry_budget_tokens", PROMETHEUS_GAUGE, "Tokens that the retry budget holds.");
    render_budget_values(p, budgets, n, true);
    prometheus_family(p, "outrigger_retry_budget_tokens_max", PROMETHEUS_GAUGE,
                      "Tokens of a full retry budget, retry_budget.max_tokens.");
    render_budget_values(p, budgets, n, false);
    prometheus_family(p, "outrigger_retry_budget_allows", PROMETHEUS_GAUGE,
                      "1 while the retry budget is over its half and so lets calls be tried again.");
    for (size_t i = 0; i < n; i++)
        if (budgets[i].policy->present)
            prometheus_sample(p, PROMETHEUS_LABELS({"scope", slice_str(budgets[i].name)}),
                              budget_allows(budgets[i].budget, budgets[i].policy));
}

static bool is_same(const struct counters_endpoint *a, const struct counters_endpoint *b)
{
    return strcmp(a->service, b->service) == 0 && strcmp(a->endpoint->text, b->endpoint->text) == 0;
}

/* True when an earlier one shows this endpoint already. */
static bool is_repeated(const struct counters_endpoint *endpoints, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (is_same(&endpoints[k], &endpoints[i]))
            return true;
    }
    return false;
}

static unsigned load(const struct endpoint *e, bool connections)
{
    return atomic_load_explicit(connections ? &e->connections : &e->inflight, memory_order_relaxed);
}

static void render_endpoints(struct prometheus *p, const struct counters_endpoint *endpoints, size_t n,
                             bool connections)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t sum = 0;
        if (is_repeated(endpoints, i))
            continue;
        for (size_t k = i; k < n; k++)
            sum += is_same(&endpoints[i], &endpoints[k]) ? load(endpoints[k].endpoint, connections) : 0;
        prometheus_sample(p,
                          PROMETHEUS_LABELS({"service", slice_str(endpoints[i].service)},
                                            {"endpoint", slice_str(endpoints[i].endpoint->text)}),
                          sum);
    }
}

void counters_render_endpoints(struct prometheus *p, const struct counters_endpoint *endpoints, size_t n)
{
    prometheus_family(p, "outrigger_endpoint_connections", PROMETHEUS_GAUGE, "Connections open or opening.");
    render_endpoints(p, endpoints, n, true);
    prometheus_family(p, "outrigger_endpoint_attempts_active", PROMETHEUS_GAUGE, "Attempts in flight.");
    render_endpoints(p, endpoints, n, false);
}
