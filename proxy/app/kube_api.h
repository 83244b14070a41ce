/* An API server as a pod or the configuration tells of it: where it is, the token and the authorities as their files
 * say now, and one client for all sources that ask it. */
#ifndef APP_KUBE_API_H
#define APP_KUBE_API_H

#include "app/client.h"
#include "app/process.h"

enum { KUBE_API_TOKEN_MAX = 16384, KUBE_API_PATH_MAX = 6000 };

struct kube_api;

/* A reference to the one of this configuration; made when nobody has one. NULL, with a text, when the surroundings do
 * not say where it is: not in a pod, and no `api`. */
struct kube_api *kube_api_ref(struct process *p, const struct kubernetes_conf *conf, char *error /* TLS_ERROR_MAX */);
void kube_api_unref(struct kube_api *api); /* NULL is ignored */

/* Asks. `path` with its query. The token is read for this request; authorities that have changed take a new connection.
 * NULL, with a text, when a file cannot be used or a bound is passed. */
struct client_request *kube_api_get(struct kube_api *api, struct slice path, ns_t timeout_ns,
                                    const struct client_events *events, void *ctx, char *error /* TLS_ERROR_MAX */);

/* The namespace of the pod into out, "" when it is not told. */
void kube_api_namespace(char *out, size_t size);

#endif
