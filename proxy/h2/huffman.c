/* A table on the next 12 bits gives one or two symbols a step; longer codes, all rare, go by ranges. */
#include "h2/huffman.h"

#include "h2/huffman_table.h"

#include <stdbool.h>
#include <string.h>

enum { CODE_BITS_MAX = 30 };

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
    b->window <<= n & 63;
    b->n -= n;
}

/* Writes the symbols of a table entry. */
static inline void put(uint32_t entry, char **out, bool store)
{
    uint16_t two = (uint16_t)(entry >> 16);
    if (store)
        memcpy(*out, &two, sizeof two);
    *out += (entry >> 8) & 0xff;
}

/* A code longer than the table's, at the head of the window; as a table entry, or 0 for the end-of-string symbol. */
static uint32_t find_long(uint64_t window)
{
    uint32_t v = (uint32_t)(window >> 32);
    const struct huffman_range *r = HUFFMAN_LONG;
    while (v > r->last)
        r++;
    uint32_t symbol = HUFFMAN_SYMBOLS[r->offset + ((v - r->first) >> (32 - r->bits))];
    return symbol == HUFFMAN_EOS ? 0 : symbol << 16 | 1 << 8 | r->bits;
}

static inline uint32_t find_short(uint64_t window)
{
    return HUFFMAN_SHORT[window >> (64 - HUFFMAN_BITS)];
}

/* A long code at the head of the window; waits for the next load when it may not be all here. */
static bool run_long(struct bits *b, char **out, bool store)
{
    if (b->n < CODE_BITS_MAX)
        return true;
    uint32_t e = find_long(b->window);
    if (e == 0)
        return false;
    put(e, out, store);
    drop(b, e & 0xff);
    return true;
}

/* A load of bits and up to four steps by the table. False for the end-of-string symbol. */
static inline bool run(struct bits *b, char **out, bool store)
{
    refill(b);
    for (int i = 0; i < 4; i++) {
        uint32_t e = find_short(b->window);
        if (__builtin_expect(e == 0, 0))
            return run_long(b, out, store);
        put(e, out, store);
        drop(b, e & 0xff);
    }
    return true;
}

/* The last bits, fewer than 56, all in the window and ones behind them. */
static inline bool finish(uint64_t window, uint32_t left, char **out, bool store)
{
    while (left > 7 || window >> 56 != 0xff) {
        uint32_t e = find_short(window);
        if (e == 0)
            e = find_long(window);
        if (e == 0 || (e & 0xff) > left)
            return false;
        put(e, out, store);
        window = window << (e & 63) | ((1u << (e & 31)) - 1);
        left -= e & 0xff;
    }
    return true;
}

static inline enum err decode(const uint8_t *p, size_t n, char *out, size_t *ret_n, bool store)
{
    struct bits b = {.p = p};
    const uint8_t *end = p + n;
    uint8_t tail[24];
    char *at = out;
    while (end - b.p >= 8)
        if (!run(&b, &at, store))
            return ERR_COMPRESSION;
    memset(tail, 0xff, sizeof tail);
    for (uint32_t i = 0; i < end - b.p; i++)
        tail[i] = b.p[i];
    end = tail + (end - b.p);
    b.p = tail;
    while (b.n + 8 * (end - b.p) >= 56)
        if (!run(&b, &at, store))
            return ERR_COMPRESSION;
    uint32_t left = b.n + 8 * (uint32_t)(end - b.p);
    refill(&b);
    if (!finish(b.window, left, &at, store))
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
