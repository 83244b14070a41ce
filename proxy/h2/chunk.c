/* Byte queues over a slab of chunks. */
#include "h2/chunk.h"

#include <string.h>

static struct chunk *add_chunk(struct chunks *c, struct slab *pool)
{
    struct chunk *k = slab_new(pool);
    if (!k)
        return NULL;
    k->next = NULL;
    k->head = k->tail = 0;
    if (c->last)
        c->last->next = k;
    else
        c->first = k;
    c->last = k;
    return k;
}

enum err chunks_append(struct chunks *c, struct slab *pool, const void *p, size_t n)
{
    const uint8_t *from = p;
    while (n > 0) {
        struct chunk *k = c->last;
        if (!k || k->tail == CHUNK_BYTES)
            k = add_chunk(c, pool);
        if (!k)
            return ERR_NOMEM;
        size_t part = CHUNK_BYTES - k->tail < n ? CHUNK_BYTES - k->tail : n;
        memcpy(k->bytes + k->tail, from, part);
        k->tail += (uint32_t)part;
        c->bytes += part;
        from += part;
        n -= part;
    }
    return ERR_NONE;
}

void chunks_consume(struct chunks *c, struct slab *pool, size_t n)
{
    c->bytes -= n;
    while (n > 0) {
        struct chunk *k = c->first;
        size_t part = k->tail - k->head < n ? k->tail - k->head : n;
        k->head += (uint32_t)part;
        n -= part;
        if (k->head < k->tail)
            return;
        c->first = k->next;
        if (!c->first)
            c->last = NULL;
        slab_free(pool, k);
    }
}

void chunks_clear(struct chunks *c, struct slab *pool)
{
    while (c->first) {
        struct chunk *k = c->first;
        c->first = k->next;
        slab_free(pool, k);
    }
    chunks_init(c);
}
