/* One family after the other over all sources. */
#include "telemetry/sources.h"

#include "app/source.h"

static const struct source *source_of(const struct list *n)
{
    return CONTAINER_OF(n, const struct source, node);
}

enum value { UPDATES, CHANGES, ENDPOINTS, FAILING };

static uint64_t value_of(const struct source *s, enum value which)
{
    switch (which) {
    case UPDATES:
        return s->updates;
    case CHANGES:
        return s->changes;
    case ENDPOINTS:
        return s->n;
    case FAILING:
        return s->failures;
    }
    return 0;
}

static void render_values(struct prometheus *p, const struct list *sources)
{
    static const struct {
        const char *name, *help;
        enum prometheus_type type;
    } families[] = {
        [UPDATES] = {"outrigger_discovery_updates_total", "Look-ups that gave addresses.", PROMETHEUS_COUNTER},
        [CHANGES] = {"outrigger_discovery_changes_total", "Times that the set of endpoints changed.",
                     PROMETHEUS_COUNTER},
        [ENDPOINTS] = {"outrigger_discovery_endpoints", "Endpoints of the last good answer.", PROMETHEUS_GAUGE},
        [FAILING] = {"outrigger_discovery_failing", "Look-ups that failed since the last good one.", PROMETHEUS_GAUGE},
    };
    for (int which = UPDATES; which <= FAILING; which++) {
        prometheus_family(p, families[which].name, families[which].type, families[which].help);
        LIST_FOR(n, sources)
            prometheus_sample(p, PROMETHEUS_LABELS({"service", slice_str(source_of(n)->service)}),
                              value_of(source_of(n), (enum value)which));
    }
}

static void render_failures(struct prometheus *p, const struct list *sources)
{
    prometheus_family(p, "outrigger_discovery_failures_total", PROMETHEUS_COUNTER,
                      "Look-ups that gave no address, by reason; the endpoints known before stay.");
    LIST_FOR(n, sources)
        for (int reason = LOOKUP_OK + 1; reason < LOOKUP_STATUS_COUNT; reason++)
            prometheus_sample(p,
                              PROMETHEUS_LABELS({"service", slice_str(source_of(n)->service)},
                                                {"reason", slice_str(lookup_status_text((enum lookup_status)reason))}),
                              source_of(n)->failed[reason]);
}

static void render_age(struct prometheus *p, const struct list *sources, ns_t now)
{
    prometheus_family(p, "outrigger_discovery_last_good_age_seconds", PROMETHEUS_GAUGE,
                      "Time since the last look-up that gave addresses; absent before the first.");
    LIST_FOR(n, sources)
        if (source_of(n)->good_at != NS_NEVER)
            prometheus_sample_time(p, PROMETHEUS_LABELS({"service", slice_str(source_of(n)->service)}),
                                   now - source_of(n)->good_at);
}

void sources_render(struct prometheus *p, const struct list *sources, ns_t now)
{
    if (list_is_empty(sources))
        return;
    render_values(p, sources);
    render_failures(p, sources);
    render_age(p, sources, now);
}
