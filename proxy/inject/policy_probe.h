/* The part of the admission policy that moves probes of captured ports, as inject/probe.c does for manifests. */
#ifndef INJECT_POLICY_PROBE_H
#define INJECT_POLICY_PROBE_H

#include "base/buf.h"
#include "inject/sidecar.h"

/* The variables that find the probes; the last one, `probes`, is what the sidecar is told. Needs captureInbound. */
void policy_probe_variables(struct buf *out, const struct sidecar *s);

/* What is added to the list of JSON patches; begins with a plus. */
void policy_probe_patches(struct buf *out);

#endif
