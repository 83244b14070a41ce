/* Log-linear histogram of nanoseconds: 64 linear steps in every power of two, so a quantile is never more than 1.6 %
 * off. Keeps counts only; merging and intervals are for the caller. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS_LOG2 = 6, HISTOGRAM_CELLS = (65 - HISTOGRAM_STEPS_LOG2) << HISTOGRAM_STEPS_LOG2 };

struct histogram {
    uint64_t cells[HISTOGRAM_CELLS];
    uint64_t count, max, sum;
};

/* Forgets everything. */
void histogram_init(struct histogram *h);

/* Counts one value. */
void histogram_add(struct histogram *h, uint64_t value_ns);

/* The smallest value (upper edge of its cell, at most the maximum seen) that at least `share` (0..1) of all values do
 * not exceed; 0 when nothing was counted. */
uint64_t histogram_quantile(const struct histogram *h, double share);

/* Arithmetic mean of the values themselves, not of the cells; 0 when nothing was counted. */
double histogram_mean(const struct histogram *h);

#endif
