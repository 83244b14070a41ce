/* The metrics named outrigger_breaker_*: the state of each circuit breaker that exists. */
#ifndef TELEMETRY_BREAKERS_H
#define TELEMETRY_BREAKERS_H

#include "core/breaker_set.h"
#include "telemetry/prometheus.h"

/* A breaker of a service. Texts are borrowed. No two have the same labels. */
struct breakers_row {
    const char *service;
    const char *endpoint; /* "" when the scope is the service */
    struct breaker_fact fact;
};

void breakers_render(struct prometheus *p, const struct breakers_row *rows, size_t n);

#endif
