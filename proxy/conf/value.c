/* Durations, sizes, shares and numbers, without floating point. */
#include "conf/value.h"

#include <stdio.h>

enum { DECIMALS_MAX = 9 };

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {
    {"us", NS_PER_US}, {"ms", NS_PER_MS}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S}};

static const struct unit sizes[] = {{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};

/* whole.fraction, the fraction as `decimals` digits. */
struct decimal {
    uint64_t whole, fraction;
    unsigned decimals;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads a decimal from the start of s and drops it from s. No sign, no leading zeros, no bare dot. */
static enum err take_decimal(struct slice *s, struct decimal *ret)
{
    size_t at = 0, start;
    *ret = (struct decimal){0};
    for (; at < s->n && is_digit(s->p[at]); at++) {
        if (__builtin_mul_overflow(ret->whole, 10u, &ret->whole) ||
            __builtin_add_overflow(ret->whole, (uint64_t)(s->p[at] - '0'), &ret->whole))
            return ERR_LIMIT;
    }
    if (at == 0 || (at > 1 && s->p[0] == '0'))
        return ERR_INVALID;
    if (at < s->n && s->p[at] == '.') {
        for (start = ++at; at < s->n && is_digit(s->p[at]); at++) {
            if (++ret->decimals > DECIMALS_MAX)
                return ERR_INVALID;
            ret->fraction = ret->fraction * 10 + (uint64_t)(s->p[at] - '0');
        }
        if (at == start)
            return ERR_INVALID;
    }
    *s = slice_sub(*s, at, s->n);
    return ERR_NONE;
}

static uint64_t power_of_ten(unsigned n)
{
    uint64_t v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

/* d * factor, cut off to a whole number. */
static enum err scale(struct decimal d, uint64_t factor, uint64_t max, uint64_t *ret)
{
    uint64_t whole;
    if (__builtin_mul_overflow(d.whole, factor, &whole) || whole > max)
        return ERR_LIMIT;
    __extension__ unsigned __int128 part = (unsigned __int128)d.fraction * factor / power_of_ten(d.decimals);
    *ret = whole + (uint64_t)part;
    return *ret > max ? ERR_LIMIT : ERR_NONE;
}

static const struct unit *find_unit(const struct unit *units, size_t n, struct slice name)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(slice_str(units[i].name), name))
            return &units[i];
    return NULL;
}

enum err value_duration(struct slice text, ns_t *ret)
{
    struct decimal d;
    uint64_t v;
    enum err e = take_decimal(&text, &d);
    const struct unit *unit = find_unit(durations, sizeof durations / sizeof *durations, text);
    if (e != ERR_NONE)
        return e;
    if (!unit)
        return ERR_INVALID;
    e = scale(d, (uint64_t)unit->factor, VALUE_DURATION_MAX, &v);
    if (e == ERR_NONE)
        *ret = (ns_t)v;
    return e;
}

enum err value_size(struct slice text, uint64_t *ret_bytes)
{
    struct decimal d;
    enum err e = take_decimal(&text, &d);
    const struct unit *unit = find_unit(sizes, sizeof sizes / sizeof *sizes, text);
    if (e != ERR_NONE)
        return e;
    if (!unit || d.decimals)
        return ERR_INVALID;
    return scale(d, (uint64_t)unit->factor, VALUE_SIZE_MAX, ret_bytes);
}

enum err value_share(struct slice text, uint32_t *ret_ppm)
{
    struct decimal d;
    uint64_t v;
    enum err e = take_decimal(&text, &d);
    if (e != ERR_NONE)
        return e;
    if (d.decimals > 4 || !slice_eq(text, SLICE("%")))
        return ERR_INVALID;
    e = scale(d, 10000, 1000000, &v);
    if (e == ERR_NONE)
        *ret_ppm = (uint32_t)v;
    return e;
}

enum err value_whole(struct slice text, uint64_t *ret)
{
    struct decimal d;
    enum err e = take_decimal(&text, &d);
    if (e != ERR_NONE)
        return e;
    if (text.n || d.decimals)
        return ERR_INVALID;
    *ret = d.whole;
    return ERR_NONE;
}

enum err value_number(struct slice text, uint64_t *ret_thousandths)
{
    struct decimal d;
    enum err e = take_decimal(&text, &d);
    if (e != ERR_NONE)
        return e;
    if (text.n || d.decimals > 3)
        return ERR_INVALID;
    return scale(d, 1000, 1000000000000u, ret_thousandths);
}

const char *value_format_duration(ns_t ns, char *out, size_t size)
{
    const struct unit *unit = &durations[0];
    for (size_t i = 1; i < sizeof durations / sizeof *durations; i++)
        if (ns % durations[i].factor == 0)
            unit = &durations[i];
    if (ns == 0)
        snprintf(out, size, "0s");
    else if (ns % unit->factor == 0)
        snprintf(out, size, "%lld%s", (long long)(ns / unit->factor), unit->name);
    else
        snprintf(out, size, "%lld.%03lldus", (long long)(ns / NS_PER_US), (long long)(ns % NS_PER_US));
    return out;
}
