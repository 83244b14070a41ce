/* One family after the other over all breakers. */
#include "telemetry/breakers.h"

static void render_states(struct prometheus *p, const struct breakers_row *row)
{
    for (int state = BREAKER_CLOSED; state <= BREAKER_RAMPING; state++)
        prometheus_sample(p,
                          PROMETHEUS_LABELS({"service", slice_str(row->service)},
                                            {"endpoint", slice_str(row->endpoint)}, {"method", row->fact.method},
                                            {"state", slice_str(breaker_state_name((enum breaker_state)state))}),
                          (int)row->fact.state == state);
}

void breakers_render(struct prometheus *p, const struct breakers_row *rows, size_t n)
{
    prometheus_family(p, "outrigger_breaker_state", PROMETHEUS_GAUGE,
                      "1 for the state that a circuit breaker is in, 0 for the others; from the first attempt on.");
    for (size_t i = 0; i < n; i++)
        render_states(p, &rows[i]);
    prometheus_family(p, "outrigger_breaker_openings_total", PROMETHEUS_COUNTER,
                      "Times that a circuit breaker opened, by a rule or a failed probe.");
    for (size_t i = 0; i < n; i++)
        prometheus_sample(p,
                          PROMETHEUS_LABELS({"service", slice_str(rows[i].service)},
                                            {"endpoint", slice_str(rows[i].endpoint)}, {"method", rows[i].fact.method}),
                          rows[i].fact.opened);
}
