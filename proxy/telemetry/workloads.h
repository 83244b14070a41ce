/* The metrics named outrigger_workload_api_*: how the identities that come from a SPIFFE Workload API stand. */
#ifndef TELEMETRY_WORKLOADS_H
#define TELEMETRY_WORKLOADS_H

#include "base/list.h"
#include "telemetry/prometheus.h"

/* `identities` holds struct identity by its node. Control thread. */
void workloads_render(struct prometheus *p, const struct list *identities);

#endif
