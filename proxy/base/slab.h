/* Objects of one size with a free list: in steady traffic neither new nor free touches malloc. What a peak leaves
 * behind goes back to malloc, but for SLAB_KEEP_BYTES. One thread only. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/list.h"

#include <stddef.h>

enum { SLAB_KEEP_BYTES = 4 << 20 };

struct slab {
    void *free;      /* list through the first word of each spare object */
    struct list all; /* owned */
    size_t size;     /* bytes of an object, a multiple of 16 */
    size_t keep;     /* most objects that are spare */
    size_t live;     /* objects handed out */
    size_t total;    /* those, and the spare ones */
};

/* `size` bytes an object. The slab must not move afterwards. */
void slab_init(struct slab *s, size_t size);

/* An object with undefined content, 16-byte aligned, or NULL when memory is out. */
void *slab_new(struct slab *s);

/* Gives an object of this slab back; NULL is ignored. */
void slab_free(struct slab *s, void *object);

/* Bytes of objects that are not handed out. */
static inline size_t slab_spare(const struct slab *s)
{
    return (s->total - s->live) * s->size;
}

/* Bytes of all objects. */
static inline size_t slab_bytes(const struct slab *s)
{
    return s->total * s->size;
}

/* Frees everything; every object becomes invalid. */
void slab_fini(struct slab *s);

#endif
