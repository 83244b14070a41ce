/* The small languages inside scalars: durations, sizes, shares, whole numbers. Pure. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

/* Longest duration taken: one year. */
#define VALUE_DURATION_MAX (8760 * 3600 * NS_PER_S)

/* Largest size taken: 1 GiB. */
#define VALUE_SIZE_MAX ((uint64_t)1 << 30)

/* One decimal number (fractions allowed) and one unit of us, ms, s, m, h: "250ms", "1.5s". ERR_INVALID for another
 * form, ERR_LIMIT past VALUE_DURATION_MAX. What is finer than a nanosecond is cut off. */
MUST_CHECK enum err value_duration(struct slice text, ns_t *ret);

/* A whole number and one of B, KiB, MiB, GiB. ERR_LIMIT past VALUE_SIZE_MAX. */
MUST_CHECK enum err value_size(struct slice text, uint64_t *ret_bytes);

/* "50%", "0.5%" -> parts per million, 0 to 1,000,000; at most four decimals. ERR_LIMIT past 100 %. */
MUST_CHECK enum err value_share(struct slice text, uint32_t *ret_ppm);

/* Decimal digits without sign or leading zeros. ERR_LIMIT when it does not fit. */
MUST_CHECK enum err value_whole(struct slice text, uint64_t *ret);

/* A decimal number >= 0 with at most three decimals -> thousandths. ERR_LIMIT past 10^9. */
MUST_CHECK enum err value_number(struct slice text, uint64_t *ret_thousandths);

/* Writes the exact form of a duration in its largest whole unit, "1500ms", to out[size >= 32]; "0s" for 0. Returns out.
 */
const char *value_format_duration(ns_t ns, char *out, size_t size);

#endif
