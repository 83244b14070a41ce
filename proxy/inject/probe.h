/* Probes of the app that the kubelet cannot make any more, as they would end at the sidecar's listener: the sidecar
 * makes them, and the kubelet asks it. What the admin pages take under /probe/ (admin/probe.h) is written here. Pure.
 */
#ifndef INJECT_PROBE_H
#define INJECT_PROBE_H

#include "inject/sidecar.h"

enum { PROBE_PATH_MAX = 1024, PROBE_KINDS = 3 };

/* "startupProbe", "readinessProbe", "livenessProbe". */
extern const char *const probe_kinds[PROBE_KINDS];

/* A probe of a container, both as the Kubernetes API has them, that the sidecar is to make. */
struct probe_move {
    const char *handler;       /* "grpc", "httpGet", "tcpSocket": what goes; NULL: it stays as it is */
    char path[PROBE_PATH_MAX]; /* "/probe/grpc/50051/service" */
};

/* False with a text: it should move, and cannot. */
bool probe_judge(const struct sidecar *s, const json_t *container, const json_t *probe, struct probe_move *ret,
                 char error[SIDECAR_ERROR_MAX]);

/* The handler that asks the sidecar in the place of the old one: { path, port } of httpGet. A new reference. */
json_t *probe_handler(const struct sidecar *s, const struct probe_move *m);

/* Adds the path to what the sidecar is told to probe; false with a text when there are too many. */
bool probe_add(struct sidecar *s, const struct probe_move *m, char error[SIDECAR_ERROR_MAX]);

/* The way back from a path that probe_judge made: { handler: { port, ... } }, a new reference; NULL for others. */
json_t *probe_restore(struct slice path);

#endif
