/* Objects of one size with a free list: after warm-up neither new nor free touches malloc. One thread only. */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slab_page;

struct slab {
    void *free;              /* list through the first word of each free object */
    struct slab_page *pages; /* owned */
    size_t size;             /* bytes of an object, a multiple of 16 */
    size_t per_page;
    size_t live;  /* objects handed out */
    size_t total; /* objects in all pages */
};

/* `size` bytes an object; pages of about 16 KiB hold at least 8. */
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

/* Frees all pages; every object becomes invalid. */
void slab_fini(struct slab *s);

#endif
