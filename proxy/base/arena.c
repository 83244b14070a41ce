/* Bump allocation over chained blocks. */
#include "base/arena.h"

#include <stdlib.h>

enum { BLOCK_MIN = 2048, ALIGNMENT = 8 };

struct arena_block {
    struct arena_block *next;
    char bytes[];
};

void arena_init(struct arena *a, void *first, size_t first_size)
{
    *a = (struct arena){.at = first, .first = first, .first_size = first_size & ~(size_t)(ALIGNMENT - 1)};
    a->end = first ? a->at + a->first_size : NULL;
}

static void *alloc_block(struct arena *a, size_t n)
{
    size_t size = n > BLOCK_MIN / 2 ? n : BLOCK_MIN;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = a->blocks;
    a->blocks = b;
    if (size == BLOCK_MIN || size - n > (size_t)(a->end - a->at)) {
        a->at = b->bytes + n;
        a->end = b->bytes + size;
    }
    return b->bytes;
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    a->bytes += n;
    if ((size_t)(a->end - a->at) < n || !a->at)
        return alloc_block(a, n);
    void *p = a->at;
    a->at += n;
    return p;
}

static char *add_room(struct arena *a, size_t n)
{
    size_t size = n > BLOCK_MIN ? n : BLOCK_MIN;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = a->blocks;
    a->blocks = b;
    a->at = b->bytes;
    a->end = b->bytes + size;
    return a->at;
}

char *arena_room(struct arena *a, size_t n)
{
    n = (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    return (size_t)(a->end - a->at) < n || !a->at ? add_room(a, n) : a->at;
}

void arena_take(struct arena *a, size_t n)
{
    n = (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    a->bytes += n;
    a->at += n;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (!p)
        return (struct slice){NULL, 0};
    if (s.n > 0)
        memcpy(p, s.p, s.n);
    p[s.n] = '\0';
    return (struct slice){p, s.n};
}

char *arena_strdup(struct arena *a, const char *s)
{
    return (char *)arena_copy(a, slice_str(s)).p;
}

static void free_blocks(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *b = a->blocks;
        a->blocks = b->next;
        free(b);
    }
}

void arena_reset(struct arena *a)
{
    free_blocks(a);
    arena_init(a, a->first, a->first_size);
}

void arena_fini(struct arena *a)
{
    free_blocks(a);
    *a = (struct arena){0};
}
