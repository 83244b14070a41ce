/* Queues of bytes made of pooled chunks of 4 KiB: what a stream holds while the other side is blocked, and what a call
 * keeps for replay. A queue is bounded by its owner. */
#ifndef H2_CHUNK_H
#define H2_CHUNK_H

#include "base/err.h"
#include "base/slab.h"

#include <stdint.h>

enum { CHUNK_BYTES = 4096 };

struct chunk {
    struct chunk *next;
    uint32_t head, tail;
    uint8_t bytes[CHUNK_BYTES];
};

struct chunks {
    struct chunk *first, *last;
    size_t bytes;
};

static inline void chunks_init(struct chunks *c)
{
    *c = (struct chunks){0};
}

/* Copies n bytes to the end; `pool` is a slab of struct chunk. On ERR_NOMEM a part may have been added. */
MUST_CHECK enum err chunks_append(struct chunks *c, struct slab *pool, const void *p, size_t n);

/* Drops n bytes (<= c->bytes) from the front. */
void chunks_consume(struct chunks *c, struct slab *pool, size_t n);

/* Drops everything. */
void chunks_clear(struct chunks *c, struct slab *pool);

#endif
