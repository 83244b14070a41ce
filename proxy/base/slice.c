/* Hash of a slice (eight bytes a step, multiply and fold) and the UTF-8 at its head. */
#include "base/slice.h"

static uint64_t load64(const char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint64_t load_tail(const char *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

uint64_t slice_hash(struct slice s, uint64_t seed)
{
    uint64_t h = seed ^ (s.n * 0x9e3779b97f4a7c15u);
    const char *p = s.p;
    size_t n = s.n;
    for (; n >= 8; p += 8, n -= 8)
        h = fold(h ^ load64(p), 0xa0761d6478bd642fu);
    if (n > 0)
        h = fold(h ^ load_tail(p, n), 0xe7037ed1a0b428dbu);
    return fold(h ^ 0x8ebc6af09c88c6e3u, 0x589965cc75374cc3u);
}

size_t slice_utf8(struct slice s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return p[0] < 0x80;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (s.n < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf4 && p[1] > 0x8f);
    return overlong || beyond ? 0 : n;
}
