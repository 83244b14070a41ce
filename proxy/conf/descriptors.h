/* What a FileDescriptorSet says of gRPC methods: which there are, which stream, which may be sent twice. Reads bytes,
 * not files; knows nothing of policies. */
#ifndef CONF_DESCRIPTORS_H
#define CONF_DESCRIPTORS_H

#include "base/arena.h"
#include "base/slice.h"

enum {
    DESCRIPTORS_BYTES_MAX = 16 << 20,   /* of a file */
    DESCRIPTORS_MEMORY_MAX = 256 << 20, /* while it is read */
    DESCRIPTORS_METHODS_MAX = 10000,
    DESCRIPTORS_ERROR_MAX = 512
};

/* google.protobuf.MethodOptions.IdempotencyLevel */
enum idempotency { IDEMPOTENCY_UNKNOWN, IDEMPOTENCY_NO_SIDE_EFFECTS, IDEMPOTENCY_IDEMPOTENT };

struct descriptors_method {
    struct slice service; /* with its package */
    struct slice method;
    bool streams; /* in either direction */
    enum idempotency idempotency;
};

/* Owned by: the arena it was read into. */
struct descriptors {
    struct descriptors_method *methods; /* in order of service and method, each once */
    size_t n;
};

/* Reads a FileDescriptorSet. False, with what is wrong and what was expected as text, when the bytes are none, name no
 * file, or are past a bound. A method that is there twice streams when either says so and may be sent twice only when
 * both say so. */
bool descriptors_parse(struct descriptors *d, struct arena *a, struct slice bytes, char error[DESCRIPTORS_ERROR_MAX]);

/* NULL when it is not there. */
const struct descriptors_method *descriptors_find(const struct descriptors *d, struct slice service,
                                                  struct slice method);

/* Whether any method of the service is there. */
bool descriptors_have_service(const struct descriptors *d, struct slice service);

/* "NO_SIDE_EFFECTS" and "IDEMPOTENT"; NULL for unknown. */
const char *idempotency_text(enum idempotency level);

#endif
