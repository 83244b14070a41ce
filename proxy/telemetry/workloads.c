/* One family after the other over all identities that have a Workload API. */
#include "telemetry/workloads.h"

#include "app/identity.h"
#include "app/workload.h"

static const struct identity *identity_of(const struct list *n)
{
    return CONTAINER_OF(n, const struct identity, node);
}

static void render(struct prometheus *p, const struct list *identities, const char *name, enum prometheus_type type,
                   const char *help, uint64_t (*value)(const struct workload *w))
{
    bool first = true;
    LIST_FOR(n, identities) {
        const struct identity *id = identity_of(n);
        if (!id->workload)
            continue;
        if (first)
            prometheus_family(p, name, type, help);
        first = false;
        prometheus_sample(p, PROMETHEUS_LABELS({"identity", slice_str(id->name)}), value(id->workload));
    }
}

static uint64_t connected(const struct workload *w)
{
    return workload_is_connected(w);
}

void workloads_render(struct prometheus *p, const struct list *identities)
{
    render(p, identities, "outrigger_workload_api_connected", PROMETHEUS_GAUGE,
           "1 while a stream of the SPIFFE Workload API is open on which an answer came.", connected);
    render(p, identities, "outrigger_workload_api_failures_total", PROMETHEUS_COUNTER,
           "Streams of the SPIFFE Workload API that ended or could not begin; what came before stays in force.",
           workload_failures);
}
