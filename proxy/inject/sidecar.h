/* What is put beside a workload, in one description: the container and its volumes as the Kubernetes API names their
 * fields. The command, the webhook and the admission policy all render this; nobody else knows a field of it. */
#ifndef INJECT_SIDECAR_H
#define INJECT_SIDECAR_H

#include "base/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The names that an injected pod is known by. Annotations of a pod, and keys of sidecar_set, stand behind the prefix.
 */
#define SIDECAR_NAME    "outrigger"
#define SIDECAR_CAPTURE "outrigger-capture"     /* the init container that redirects ports */
#define SIDECAR_VOLUMES "outrigger-"            /* how the names of its volumes begin */
#define SIDECAR_PREFIX  "outrigger.dev/"        /* of annotations and labels */
#define SIDECAR_INJECT  SIDECAR_PREFIX "inject" /* annotation or label: "false" keeps a pod as it is */

enum { SIDECAR_TEXT_MAX = 254, SIDECAR_PORTS_MAX = 16, SIDECAR_ERROR_MAX = 256, SIDECAR_PROBES_MAX = 4096 };

/* Where the pod's certificate comes from. */
enum sidecar_tls {
    SIDECAR_TLS_SECRET, /* a Secret with tls.crt, tls.key, ca.crt, as cert-manager writes it; mounted at
                           /etc/outrigger/tls */
    SIDECAR_TLS_CSI,    /* cert-manager's csi-driver-spiffe, with the same files */
    SIDECAR_TLS_SPIRE,  /* the SPIFFE CSI driver: the Workload API's socket in /spiffe-workload-api */
    SIDECAR_TLS_NONE    /* tls: off everywhere */
};

/* Owned by: whoever injects; a plain value. */
struct sidecar {
    char image[SIDECAR_TEXT_MAX];
    char config_map[SIDECAR_TEXT_MAX]; /* holds outrigger.yaml */
    char secret[SIDECAR_TEXT_MAX];
    char policy[SIDECAR_TEXT_MAX]; /* becomes OUTRIGGER_POLICY for ${OUTRIGGER_POLICY} in the file; "" leaves it out */
    char cpu_request[32], memory_request[32], cpu_limit[32], memory_limit[32]; /* "" leaves one out */
    enum sidecar_tls tls;
    uint16_t ports[SIDECAR_PORTS_MAX]; /* inbound listeners */
    size_t ports_n;
    uint16_t app_ports[SIDECAR_PORTS_MAX]; /* of the app behind each of them; 0: not known */
    size_t app_ports_n;
    uint16_t admin_port;
    char capture_inbound[SIDECAR_TEXT_MAX], capture_outbound[SIDECAR_TEXT_MAX]; /* ports as `capture` takes them; "" */
    uint16_t to_inbound, to_outbound;   /* the listeners that they go to; to_inbound 0: the first of `ports` */
    char probe_ports[SIDECAR_TEXT_MAX]; /* whose probes the sidecar makes, besides those of capture_inbound */
    char probes[SIDECAR_PROBES_MAX];    /* that it makes, found in the pod; inject/probe.h */
    uint32_t uid;                       /* that the sidecar runs as */
};

void sidecar_init(struct sidecar *s);

/* Takes one setting: `key` is what stands behind the prefix in an annotation ("image", "ports", ...). False with a
 * message for a key or value that is not known. */
bool sidecar_set(struct sidecar *s, struct slice key, struct slice value, char error[SIDECAR_ERROR_MAX]);

/* The same of a pod's annotation by its whole key; annotations of others, and `inject`, change nothing. */
bool sidecar_annotate(struct sidecar *s, struct slice key, struct slice value, char error[SIDECAR_ERROR_MAX]);

/* Whether this value of `inject`, as an annotation or a label, keeps a pod as it is. */
bool sidecar_is_unwanted(struct slice value);

/* New references; the caller gives them back with json_decref. The volumes are an array, maybe of one. */
json_t *sidecar_container(const struct sidecar *s);
json_t *sidecar_volumes(const struct sidecar *s);

/* The container that captures, an init container before the sidecar; NULL when no port is captured. */
json_t *sidecar_capture(const struct sidecar *s);

#endif
