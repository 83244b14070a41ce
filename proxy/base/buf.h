/* A growable byte queue: bytes enter at the tail and leave at the head. It keeps its memory when it empties, until
 * buf_fini or buf_release, so that steady traffic allocates nothing. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/slice.h"

struct buf {
    uint8_t *p;
    size_t head, tail, cap;
};

static inline void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

static inline size_t buf_len(const struct buf *b)
{
    return b->tail - b->head;
}

static inline uint8_t *buf_head(const struct buf *b)
{
    return b->p + b->head;
}

/* Makes room for n more bytes at the tail; on failure nothing changes. Prefer buf_reserve. */
MUST_CHECK enum err buf_grow(struct buf *b, size_t n);

/* A pointer to at least n writable bytes at the tail, or NULL when memory is out. Follow with buf_commit. */
static inline uint8_t *buf_reserve(struct buf *b, size_t n)
{
    if (b->cap - b->tail < n && buf_grow(b, n) != ERR_NONE)
        return NULL;
    return b->p + b->tail;
}

static inline void buf_commit(struct buf *b, size_t n)
{
    b->tail += n;
}

/* Copies n bytes to the tail. */
MUST_CHECK enum err buf_append(struct buf *b, const void *p, size_t n);

/* Drops n bytes (<= buf_len) from the head. */
static inline void buf_consume(struct buf *b, size_t n)
{
    b->head += n;
    if (b->head == b->tail)
        b->head = b->tail = 0;
}

/* Drops everything, keeps the memory. */
static inline void buf_clear(struct buf *b)
{
    b->head = b->tail = 0;
}

/* Gives the memory back if the buffer is empty. */
void buf_release(struct buf *b);

/* Frees everything. */
void buf_fini(struct buf *b);

#endif
