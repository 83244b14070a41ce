/* Cells are numbered so that values below 64 have one each, and every further power of two is cut into 64. */
#include "histogram.h"

#include <string.h>

static unsigned cell_of(uint64_t value)
{
    if (value < 1u << HISTOGRAM_STEPS_LOG2)
        return (unsigned)value;
    unsigned shift = 63u - HISTOGRAM_STEPS_LOG2 - (unsigned)__builtin_clzll(value);
    return (shift << HISTOGRAM_STEPS_LOG2) + (unsigned)(value >> shift);
}

static uint64_t upper_edge(unsigned cell)
{
    if (cell < 2u << HISTOGRAM_STEPS_LOG2)
        return cell;
    unsigned shift = (cell >> HISTOGRAM_STEPS_LOG2) - 1;
    uint64_t steps = cell - ((uint64_t)shift << HISTOGRAM_STEPS_LOG2);
    return ((steps + 1) << shift) - 1;
}

void histogram_init(struct histogram *h)
{
    memset(h, 0, sizeof *h);
}

void histogram_add(struct histogram *h, uint64_t value_ns)
{
    h->cells[cell_of(value_ns)]++;
    h->count++;
    h->sum += value_ns;
    if (value_ns > h->max)
        h->max = value_ns;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    if ((double)wanted < share * (double)h->count || wanted == 0)
        wanted++;
    for (unsigned cell = 0; cell < HISTOGRAM_CELLS; cell++) {
        seen += h->cells[cell];
        if (seen >= wanted)
            return upper_edge(cell) < h->max ? upper_edge(cell) : h->max;
    }
    return h->max;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? (double)h->sum / (double)h->count : 0;
}
