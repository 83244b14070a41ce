/* Growth of the byte queue: slides the bytes down when that is enough, else doubles. */
#include "base/buf.h"

#include <stdlib.h>

enum { BUF_MIN = 1024 };

#define BYTES_MAX (SIZE_MAX / 4)

static void slide(struct buf *b)
{
    if (b->head == 0)
        return;
    memmove(b->p, b->p + b->head, buf_len(b));
    b->tail -= b->head;
    b->head = 0;
}

/* Sliding is worth it when the hole at the head is a fair share of what moves; else a queue that stays nearly full
 * would move all its bytes for each few that enter. */
enum err buf_grow(struct buf *b, size_t n)
{
    size_t len = buf_len(b), need = len + n;
    if (need < n || need > BYTES_MAX)
        return ERR_NOMEM;
    if (need <= b->cap && b->head >= len / 4) {
        slide(b);
        return ERR_NONE;
    }
    size_t want = b->head > 0 ? need + need / 4 : need;
    size_t cap = b->cap ? b->cap : BUF_MIN;
    while (cap < want)
        cap *= 2;
    uint8_t *p = realloc(b->p, cap);
    if (!p)
        return ERR_NOMEM;
    b->p = p;
    b->cap = cap;
    slide(b);
    return ERR_NONE;
}

enum err buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return ERR_NONE;
    uint8_t *to = buf_reserve(b, n);
    if (!to)
        return ERR_NOMEM;
    memcpy(to, p, n);
    buf_commit(b, n);
    return ERR_NONE;
}

void buf_release(struct buf *b)
{
    if (buf_len(b) == 0)
        buf_fini(b);
}

void buf_fini(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}
