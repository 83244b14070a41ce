/* A decoded block and small tools for the tests of HPACK. */
#ifndef TESTS_UNIT_H2_HPACK_HELP_H
#define TESTS_UNIT_H2_HPACK_HELP_H

#include "base/rng.h"
#include "h2/hpack_table.h"

#include <nghttp2/nghttp2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct decoded {
    struct arena arena;
    struct headers h;
    struct hpack_sink sink;
};

static inline void decoded_init(struct decoded *d)
{
    arena_init(&d->arena, NULL, 0);
    d->h.n = d->h.bytes = 0;
    d->sink = (struct hpack_sink){
        .arena = &d->arena, .headers = &d->h, .fields_max = HEADERS_FIELDS_MAX, .bytes_max = HEADERS_BYTES_MAX};
}

/* Starts over for the next block, with the same bounds. */
static inline void decoded_reset(struct decoded *d)
{
    arena_reset(&d->arena);
    d->h.n = d->h.bytes = 0;
    d->sink.fields = d->sink.bytes = 0;
    d->sink.malformed = false;
}

static inline void decoded_fini(struct decoded *d)
{
    arena_fini(&d->arena);
}

static inline size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; *hex; hex++) {
        unsigned v;
        if (*hex == ' ')
            continue;
        assert_int_equal(sscanf(hex++, "%2x", &v), 1);
        out[n++] = (uint8_t)v;
    }
    return n;
}

/* An exact copy on the heap, so that the sanitizer sees a read past the block. */
static inline enum err decode_copy(struct hpack_decoder *d, const uint8_t *p, size_t n, struct hpack_sink *sink)
{
    uint8_t *copy = malloc(n ? n : 1);
    if (n > 0)
        memcpy(copy, p, n);
    enum err e = hpack_decode(d, copy, n, sink);
    free(copy);
    return e;
}

static inline struct header plain(const char *name, const char *value)
{
    size_t n = strlen(name);
    return (struct header){.name = name,
                           .value = value,
                           .name_n = (uint32_t)n,
                           .value_n = (uint32_t)strlen(value),
                           .token = (uint16_t)token_find(name, n)};
}

#endif
