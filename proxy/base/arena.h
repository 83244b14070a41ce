/* Bump allocator: many small pieces, freed together. The first block may be given by the owner, so that a short life
 * allocates nothing. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena_block;

struct arena {
    char *at, *end;             /* free part of the current block */
    struct arena_block *blocks; /* blocks of its own, newest first; owned */
    char *first;                /* borrowed first block, or NULL */
    size_t first_size;
    size_t bytes; /* handed out since init or reset */
};

/* `first` (may be NULL; aligned to 8) is borrowed until arena_fini. */
void arena_init(struct arena *a, void *first, size_t first_size);

/* n bytes aligned to 8, or NULL when memory is out. */
void *arena_alloc(struct arena *a, size_t n);

/* At least n bytes (a->end - a->at in all) to build something of unknown size in; nothing is handed out until
 * arena_take. NULL when memory is out. */
char *arena_room(struct arena *a, size_t n);

/* Hands out the first n bytes of what arena_room returned last. */
void arena_take(struct arena *a, size_t n);

/* A copy of the bytes, with a NUL behind it that n does not count; p is NULL when memory is out. */
struct slice arena_copy(struct arena *a, struct slice s);

/* A NUL-terminated copy, or NULL. */
char *arena_strdup(struct arena *a, const char *s);

/* Drops all pieces and the blocks of its own; the first block is used again. */
void arena_reset(struct arena *a);

void arena_fini(struct arena *a);

#endif
