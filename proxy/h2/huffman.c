/* A table on the next 11 bits gives one or two symbols a step; longer codes, all rare, go by ranges. */
#include "h2/huffman.h"

#include "h2/huffman_table.h"

#include <stdbool.h>
#include <string.h>

/* Bits that were loaded and not used yet stand at the left of `window`; the loads are 8 bytes, so `p` must have them.
 */
struct bits {
    uint64_t window;
    uint32_t n;
    const uint8_t *p;
};

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __builtin_bswap64(v);
}

/* Leaves at least 56 bits in the window. */
static inline void refill(struct bits *b)
{
    b->window |= load_be64(b->p) >> b->n;
    b->p += (63 - b->n) >> 3;
    b->n |= 56;
}

static inline void drop(struct bits *b, uint32_t n)
{
    b->window <<= n;
    b->n -= n;
}

/* One of the codes longer than the table. HUFFMAN_EOS is found like any other. */
static uint32_t find_long(uint64_t window, uint32_t *ret_bits)
{
    uint32_t v = (uint32_t)(window >> 32);
    const struct huffman_range *r = HUFFMAN_LONG;
    while (v > r->last)
        r++;
    *ret_bits = r->bits;
    return HUFFMAN_SYMBOLS[r->offset + ((v - r->first) >> (32 - r->bits))];
}

/* One step; returns the bits used, 0 for the end-of-string symbol. */
static inline uint32_t step(uint64_t window, char **out, bool store)
{
    uint32_t e = HUFFMAN_SHORT[window >> (64 - HUFFMAN_BITS)];
    if (__builtin_expect(e != 0, 1)) {
        uint16_t two = (uint16_t)e;
        if (store)
            memcpy(*out, &two, 2);
        *out += e >> 24;
        return (e >> 16) & 0xff;
    }
    uint32_t used, symbol = find_long(window, &used);
    if (symbol == HUFFMAN_EOS)
        return 0;
    if (store)
        **out = (char)symbol;
    *out += 1;
    return used;
}

/* The last bytes, `left` bits in all, behind which there are ones. */
static inline bool finish(struct bits *b, uint64_t left, char **out, bool store)
{
    while (left > 0) {
        refill(b);
        if (left < 8 && b->window >> (64 - left) == (1u << left) - 1)
            return true;
        uint32_t used = step(b->window, out, store);
        if (used == 0 || used > left)
            return false;
        drop(b, used);
        left -= used;
    }
    return true;
}

static inline enum err decode(const uint8_t *p, size_t n, char *out, size_t *ret_n, bool store)
{
    struct bits b = {.p = p};
    const uint8_t *end = p + n;
    char *at = out;
    while (end - b.p >= 8) {
        refill(&b);
        while (b.n >= HUFFMAN_BITS) {
            char *before = at;
            uint32_t used = step(b.window, &at, store);
            if (used == 0)
                return ERR_COMPRESSION;
            if (used > b.n) { /* a long code, not all here yet */
                at = before;
                break;
            }
            drop(&b, used);
        }
    }
    uint8_t tail[32];
    size_t bytes = (size_t)(end - b.p);
    memset(tail, 0xff, sizeof tail);
    for (size_t i = 0; i < bytes; i++)
        tail[i] = b.p[i];
    b.p = tail;
    if (!finish(&b, b.n + 8 * bytes, &at, store))
        return ERR_COMPRESSION;
    *ret_n = (size_t)(at - out);
    return ERR_NONE;
}

enum err huffman_decode(const uint8_t *p, size_t n, char *out, size_t *ret_n)
{
    return decode(p, n, out, ret_n, true);
}

enum err huffman_measure(const uint8_t *p, size_t n, size_t *ret_n)
{
    static char nowhere[1];
    return decode(p, n, nowhere, ret_n, false);
}
