/* The metrics named outrigger_discovery_*: what the look-ups of each DNS source have come to. */
#ifndef TELEMETRY_SOURCES_H
#define TELEMETRY_SOURCES_H

#include "base/list.h"
#include "telemetry/prometheus.h"

/* `sources` holds struct source by its node; `now` is of their clock. Control thread. */
void sources_render(struct prometheus *p, const struct list *sources, ns_t now);

#endif
