/* Finds the pod templates in a manifest: which kinds hold one, and where. */
#ifndef INJECT_WORKLOAD_H
#define INJECT_WORKLOAD_H

#include "conf/manifest.h"

/* Borrows: the manifest. */
struct workload {
    struct slice kind, name, name_space;
    struct span *metadata; /* of the pod; NULL when there is none */
    struct span *spec;     /* of the pod; NULL when there is none */
};

/* Calls back for each workload of the manifest in order, those inside Lists included. Other kinds are passed over. */
void workload_each(const struct manifest *m, void (*found)(void *ctx, const struct workload *w), void *ctx);

/* The same for each Service: metadata and spec are its own. */
void service_each(const struct manifest *m, void (*found)(void *ctx, const struct workload *w), void *ctx);

/* Whether the pod already has the sidecar. */
bool workload_has_sidecar(const struct workload *w);

/* Whether the pod says that it wants none, by the annotation or the label `inject`. */
bool workload_opts_out(const struct workload *w);

#endif
