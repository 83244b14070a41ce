/* The metrics named outrigger_*: counters of the workers, limits, budgets, endpoints, and the state of the process. */
#ifndef TELEMETRY_COUNTERS_H
#define TELEMETRY_COUNTERS_H

#include "core/budget.h"
#include "core/endpoint.h"
#include "core/limit.h"
#include "telemetry/prometheus.h"

/* What the process says of itself. */
struct counters_process {
    const char *version;
    bool ready, draining;
    uint32_t workers;
    uint64_t generation;               /* of the configuration in force */
    uint64_t reloads, reload_failures; /* taken and refused */
    bool last_reload_failed;
    ns_t started_wall, loaded_wall; /* since 1970: start of the process, of the configuration in force */
};

/* The limits of a service or an inbound listener. Borrowed. */
struct counters_scope {
    const char *name; /* differs from all others */
    const struct limit *limit;
    const struct limits_policy *policy;
};

/* The retry budget of a service or an inbound listener. Borrowed. */
struct counters_budget {
    const char *name; /* as of counters_scope */
    const struct budget *budget;
    const struct budget_policy *policy; /* one that is not present is left out */
};

/* An endpoint of a service. Borrowed. The same service and text may come several times (an older generation that still
 * has calls): they are added up. */
struct counters_endpoint {
    const char *service;
    const struct endpoint *endpoint;
};

void counters_render_process(struct prometheus *p, const struct counters_process *facts);

/* Adds up all that count: the workers, and the control thread if it does. */
void counters_render_workers(struct prometheus *p, const struct worker_stats *const *stats, size_t n);

void counters_render_scopes(struct prometheus *p, const struct counters_scope *scopes, size_t n);
void counters_render_budgets(struct prometheus *p, const struct counters_budget *budgets, size_t n);
void counters_render_endpoints(struct prometheus *p, const struct counters_endpoint *endpoints, size_t n);

#endif
