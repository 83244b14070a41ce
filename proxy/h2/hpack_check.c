/* Validation of field bytes, eight at a time where it can be. */
#include "h2/hpack_check.h"

static const uint8_t NAME_BYTE[256] = {
    ['!'] = 1, ['#' ... '\''] = 1, ['*'] = 1,         ['+'] = 1, ['-'] = 1,
    ['.'] = 1, ['0' ... '9'] = 1,  ['^' ... 'z'] = 1, ['|'] = 1, ['~'] = 1,
};

bool hpack_check_name(const char *p, size_t n)
{
    if (n > 1 && p[0] == ':') {
        p++;
        n--;
    }
    bool ok = n > 0;
    for (size_t i = 0; i < n; i++)
        ok &= NAME_BYTE[(uint8_t)p[i]];
    return ok;
}

static inline bool is_control(uint8_t c)
{
    return (c < 0x20 && c != '\t') || c == 0x7f;
}

/* Whether one of eight bytes is below 0x20 or 0x7f (HTAB too). */
static inline bool is_suspect(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    uint64_t v;
    memcpy(&v, p, sizeof v);
    uint64_t del = v ^ (ones * 0x7f);
    return (((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & high;
}

static bool has_control(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_control((uint8_t)p[i]))
            return true;
    return false;
}

static bool has_bad_byte(const char *p, size_t n)
{
    if (n < 8)
        return has_control(p, n);
    bool suspect = is_suspect(p + n - 8);
    for (size_t i = 0; i + 8 < n; i += 8)
        suspect |= is_suspect(p + i);
    return suspect && has_control(p, n);
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

bool hpack_check_value(const char *p, size_t n, bool edges)
{
    if (n == 0)
        return true;
    if (!edges && (is_space(p[0]) || is_space(p[n - 1])))
        return false;
    return !has_bad_byte(p, n);
}
