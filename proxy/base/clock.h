/* The one unit of time inside: signed nanoseconds of a monotonic clock. Only net/ and the tests read a clock; all else
 * takes `now` as an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

typedef int64_t ns_t;

#define NS_PER_US 1000LL
#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL
#define NS_NEVER  INT64_MAX

/* a + b, saturating at NS_NEVER; both are >= 0. */
static inline ns_t ns_add(ns_t a, ns_t b)
{
    return a > NS_NEVER - b ? NS_NEVER : a + b;
}

static inline ns_t ns_max(ns_t a, ns_t b)
{
    return a > b ? a : b;
}

static inline ns_t ns_min(ns_t a, ns_t b)
{
    return a < b ? a : b;
}

/* Monotonic time (CLOCK_MONOTONIC). */
ns_t clock_monotonic(void);

/* Wall time in nanoseconds since 1970, for logs and certificates only. */
ns_t clock_wall(void);

#endif
