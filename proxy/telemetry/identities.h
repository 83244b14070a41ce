/* The metrics named outrigger_identity_*: when certificates, roots and lists end, and what became of changes of them.
 */
#ifndef TELEMETRY_IDENTITIES_H
#define TELEMETRY_IDENTITIES_H

#include "base/list.h"
#include "telemetry/prometheus.h"

/* `identities`: of the process, control thread. Nothing when there are none. */
void identities_render(struct prometheus *p, const struct list *identities);

#endif
