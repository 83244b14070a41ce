/* Allocation for the short life of reading a configuration: from an arena, zeroed, never NULL. The file is bounded to
 * 1 MiB, so running out here means that the machine has no memory left, and the process ends with a message. */
#ifndef CONF_MEMORY_H
#define CONF_MEMORY_H

#include "base/arena.h"
#include "base/buf.h"

/* n zeroed bytes, aligned to 8. */
void *memory_take(struct arena *a, size_t n);

/* n elements of `size` bytes, zeroed; n may be 0. */
void *memory_array(struct arena *a, size_t n, size_t size);

/* A terminated copy. */
struct slice memory_copy(struct arena *a, struct slice s);

/* The formatted text. */
char *memory_format(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends a copy; the buffer is the caller's. */
void memory_append(struct buf *b, struct slice s);

#endif
