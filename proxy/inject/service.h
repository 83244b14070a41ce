/* Services whose pods have the sidecar: their own address stays, the port that they lead to becomes the sidecar's.
 * Pure. */
#ifndef INJECT_SERVICE_H
#define INJECT_SERVICE_H

#include "inject/edits.h"
#include "inject/sidecar.h"
#include "inject/workload.h"

/* A workload that has the sidecar. Borrows: the manifest. */
struct service_target {
    struct workload workload;
    uint16_t app_ports[SIDECAR_PORTS_MAX], ports[SIDECAR_PORTS_MAX]; /* of the app, and of the listener before each */
    size_t n;
};

/* Of a workload and what is put beside it. */
struct service_target service_target_of(const struct workload *w, const struct sidecar *s);

/* Moves the ports of a Service that lead to ports of the app in a pod of the target that it selects. Returns how many.
 */
size_t service_move(struct edits *e, const struct manifest *m, const struct workload *service,
                    const struct service_target *target);

#endif
