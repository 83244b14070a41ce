/* A cursor over a queue of chunks. */
#include "h2/replay.h"

enum err replay_append(struct replay *r, struct slab *pool, const uint8_t *p, size_t n)
{
    return chunks_append(&r->chunks, pool, p, n);
}

struct slice replay_next(struct replay *r)
{
    if (!r->at) {
        r->at = r->chunks.first;
        r->at_byte = r->at ? r->at->head : 0;
    }
    if (r->at && r->at_byte == r->at->tail && r->at->next) {
        r->at = r->at->next;
        r->at_byte = r->at->head;
    }
    return r->at ? slice_make(r->at->bytes + r->at_byte, r->at->tail - r->at_byte) : slice_make(NULL, 0);
}

void replay_advance(struct replay *r, struct slab *pool, size_t n)
{
    if (r->committed) {
        chunks_consume(&r->chunks, pool, n);
        r->at = NULL;
        return;
    }
    r->at_byte += (uint32_t)n;
    r->fed += n;
}

void replay_rewind(struct replay *r)
{
    r->at = NULL;
    r->fed = 0;
}

void replay_commit(struct replay *r, struct slab *pool)
{
    if (r->committed)
        return;
    r->committed = true;
    chunks_consume(&r->chunks, pool, r->fed);
    r->at = NULL;
    r->fed = 0;
}

void replay_clear(struct replay *r, struct slab *pool)
{
    chunks_clear(&r->chunks, pool);
    r->at = NULL;
    r->fed = 0;
}
