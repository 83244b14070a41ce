/* The request bytes of one call on their way to an attempt. Until the call is committed they are all kept, and each
 * attempt reads them from the beginning; afterwards what was read is dropped and only what still waits is kept. */
#ifndef H2_REPLAY_H
#define H2_REPLAY_H

#include "base/slice.h"
#include "h2/chunk.h"

/* Owned by: a call's exchange. All zero is empty and not committed. */
struct replay {
    struct chunks chunks;
    struct chunk *at; /* where the attempt reads next; NULL: at the first chunk's head */
    uint32_t at_byte;
    size_t fed; /* kept bytes that the attempt has read already; 0 once committed */
    bool committed;
};

/* Keeps n more bytes; `pool` is a slab of struct chunk. */
MUST_CHECK enum err replay_append(struct replay *r, struct slab *pool, const uint8_t *p, size_t n);

/* Bytes that the attempt has not read yet. */
static inline size_t replay_left(const struct replay *r)
{
    return r->chunks.bytes - r->fed;
}

/* The next run of bytes to read, empty when there is none. Valid until the next call with `r`. */
struct slice replay_next(struct replay *r);

/* n bytes (<= the run) were read. */
void replay_advance(struct replay *r, struct slab *pool, size_t n);

/* Another attempt begins; not after a commit. */
void replay_rewind(struct replay *r);

/* Nothing will be read twice any more. */
void replay_commit(struct replay *r, struct slab *pool);

/* Drops all. */
void replay_clear(struct replay *r, struct slab *pool);

#endif
