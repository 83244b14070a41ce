/* An admission review of the Kubernetes API (admission.k8s.io/v1): a pod in, the answer with its patch out. Pure. */
#ifndef INJECT_REVIEW_H
#define INJECT_REVIEW_H

#include "base/buf.h"
#include "inject/sidecar.h"

/* Appends the answer to the review in `text`. A pod that has the sidecar, opts out or uses the host's network is let
 * through as it is; one whose annotations are wrong is refused with the reason. False with a message in `error` when
 * the text is no review; nothing is appended then. */
bool review_answer(struct slice text, const struct sidecar *defaults, struct buf *out, char error[SIDECAR_ERROR_MAX]);

#endif
