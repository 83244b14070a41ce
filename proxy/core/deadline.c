/* Parses and prints grpc-timeout; integers only. */
#include "core/deadline.h"

enum { DIGITS_MAX = 8 };

#define VALUE_MAX 99999999LL

struct unit {
    char letter;
    ns_t ns;
};

/* From the finest, the order in which deadline_format tries them. */
static const struct unit units[] = {
    {'n', 1}, {'u', NS_PER_US}, {'m', NS_PER_MS}, {'S', NS_PER_S}, {'M', 60 * NS_PER_S}, {'H', 3600 * NS_PER_S},
};

enum { UNITS_N = sizeof units / sizeof units[0] };

static ns_t unit_ns(char letter)
{
    for (int i = 0; i < UNITS_N; i++) {
        if (units[i].letter == letter)
            return units[i].ns;
    }
    return 0;
}

enum err deadline_parse(struct slice text, ns_t *ret_timeout_ns)
{
    if (text.n < 2 || text.n > DIGITS_MAX + 1)
        return ERR_INVALID;
    ns_t unit = unit_ns(text.p[text.n - 1]);
    if (unit == 0)
        return ERR_INVALID;
    ns_t value = 0;
    for (size_t i = 0; i + 1 < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return ERR_INVALID;
        value = value * 10 + (text.p[i] - '0');
    }
    *ret_timeout_ns = value > NS_NEVER / unit ? NS_NEVER : value * unit;
    return ERR_NONE;
}

size_t deadline_format(ns_t left_ns, char *out)
{
    ns_t value = left_ns > 0 ? left_ns : 0;
    int unit = 0;
    while (value > VALUE_MAX) {
        ns_t ns = units[++unit].ns;
        value = left_ns / ns + (left_ns % ns != 0);
    }
    char digits[DIGITS_MAX];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = units[unit].letter;
    return n + 1;
}

ns_t deadline_of(ns_t start, ns_t caller_timeout_ns, ns_t policy_timeout_ns)
{
    ns_t timeout = caller_timeout_ns;
    if (policy_timeout_ns > 0)
        timeout = ns_min(timeout, policy_timeout_ns);
    return ns_add(start, timeout);
}
