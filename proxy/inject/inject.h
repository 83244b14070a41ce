/* Manifests in, manifests out: the sidecar is spliced into the text of each workload, or taken out of it again; what is
 * not touched keeps its bytes. Pure: reads and writes no file. */
#ifndef INJECT_INJECT_H
#define INJECT_INJECT_H

#include "base/buf.h"
#include "inject/sidecar.h"

/* What was done, a line for each workload: "Deployment order: injected". `problem`: the workload could not be done. */
typedef void inject_note(void *ctx, const char *line, bool problem);

/* Appends the manifest with the sidecar in each workload that has none and does not opt out; annotations of a pod
 * change what `defaults` says. Names its containers "outrigger". Doing it twice changes nothing. False when the text is
 * no YAML or a workload cannot be done; `out` is then not to be used. */
bool inject_manifest(struct slice text, const struct sidecar *defaults, struct buf *out, inject_note *note, void *ctx);

/* Appends the manifest without the sidecar: the bytes that were there before inject_manifest. Also for what the API
 * server gave back, whose comments are lost. False as above. */
bool uninject_manifest(struct slice text, struct buf *out, inject_note *note, void *ctx);

#endif
