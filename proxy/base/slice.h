/* A borrowed run of bytes: pointer and length, not terminated, never owned. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *p;
    size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_make(const void *p, size_t n)
{
    return (struct slice){(const char *)p, n};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){s, strlen(s)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare without case. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Position of the first `c`, or s.n. */
static inline size_t slice_find(struct slice s, char c)
{
    const char *hit = s.n ? memchr(s.p, c, s.n) : NULL;
    return hit ? (size_t)(hit - s.p) : s.n;
}

/* The bytes [from, to); from <= to <= s.n. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t to)
{
    return (struct slice){s.p + from, to - from};
}

/* A fast hash of the bytes for tables inside the process; not stable across versions and not for hostile keys without
 * a bound on the table. `seed` separates tables. */
uint64_t slice_hash(struct slice s, uint64_t seed);

/* Bytes of the UTF-8 sequence at the head of s (s.n > 0): 1 to 4, or 0 when it is none (RFC 3629: no surrogates, no
 * longer form than needed, nothing past U+10FFFF). */
size_t slice_utf8(struct slice s);

#endif
