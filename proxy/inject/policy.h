/* The sidecar as a MutatingAdmissionPolicy (admissionregistration.k8s.io/v1): the API server itself injects, by CEL,
 * and nothing of ours runs in the cluster. Rendered from the same description as the manifests. */
#ifndef INJECT_POLICY_H
#define INJECT_POLICY_H

#include "base/buf.h"
#include "inject/sidecar.h"

/* Appends the policy and its bindings. What `s` says holds for pods without an annotation; the pod's annotations image,
 * config, tls-secret, policy, port (the first of ports), admin-port, cpu-request, memory-request and memory-limit are
 * read by the API server. Where the certificate comes from, and limits that `s` leaves out, are fixed here. */
void policy_write(struct buf *out, const struct sidecar *s);

#endif
