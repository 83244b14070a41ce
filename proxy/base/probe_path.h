/* The path of the admin page by which a sidecar probes its service: PROBE_PATH_PREFIX, then "KIND/PORT" or
 * "KIND/PORT/REST". The injector writes it, the page reads it. */
#ifndef BASE_PROBE_PATH_H
#define BASE_PROBE_PATH_H

#include "base/slice.h"

#include <stdint.h>

#define PROBE_PATH_PREFIX "/probe/"

enum probe_kind { PROBE_GRPC, PROBE_HTTP, PROBE_TCP };

struct probe_path {
    enum probe_kind kind;
    uint16_t port;
    struct slice rest; /* begins with the slash; empty when there is none. Points into the text */
};

/* Reads what stands behind the prefix; false when it is no such path. */
bool probe_path_parse(struct slice text, struct probe_path *ret);

#endif
