/* One EndpointSlice (discovery.k8s.io/v1) as JSON tells it: which addresses, in what state, on the port that is wanted.
 * Pure: text in, values out. */
#ifndef DISCOVERY_ENDPOINT_SLICE_H
#define DISCOVERY_ENDPOINT_SLICE_H

#include "base/address.h"

#include <jansson.h>

enum {
    ENDPOINT_SLICE_NAME_MAX = 253,
    ENDPOINT_SLICE_VERSION_MAX = 63, /* resourceVersion */
    ENDPOINT_SLICE_PIECES_MAX = 10000
};

/* An address of an endpoint. */
struct piece {
    struct address address;
    uint64_t pod;     /* a hash of whom it belongs to, 0: nobody is named; pods of two families have one in each */
    bool ready;       /* takes calls */
    bool serving;     /* answers calls, though it may be about to end */
    bool terminating; /* is about to end */
    bool hinted;      /* names zones that should use it */
    bool ours;        /* and ours is among them */
};

/* What is wanted of a slice. Borrowed texts. */
struct slice_query {
    const char *port; /* name, or number of the endpoint's port */
    const char *zone; /* "" when we have none */
};

/* Owned by: a struct kubernetes. */
struct endpoint_slice {
    char name[ENDPOINT_SLICE_NAME_MAX + 1];
    char version[ENDPOINT_SLICE_VERSION_MAX + 1];
    struct piece *v; /* owned */
    size_t n;
};

/* Reads an object. Absent and null parts mean what the API says they mean: no endpoints, no ports, ready, not
 * terminating. Addresses that are none, FQDN slices and slices without the port give no piece. False when it is no
 * EndpointSlice, or memory is out; then nothing is owned. */
bool endpoint_slice_parse(struct endpoint_slice *s, const json_t *object, const struct slice_query *q);
void endpoint_slice_fini(struct endpoint_slice *s);

/* metadata.resourceVersion of an object or list, "" when there is none or it is too long. Borrowed. */
const char *endpoint_slice_version(const json_t *object);

#endif
