/* Drawing from ranges and by percent. */
#ifndef TESTS_SIM_DRAW_H
#define TESTS_SIM_DRAW_H

#include "base/rng.h"

#include <stdbool.h>

/* Uniform in [from, to]. */
static inline uint64_t draw(struct rng *r, uint64_t from, uint64_t to)
{
    return from + rng_below(r, to - from + 1);
}

static inline bool chance(struct rng *r, unsigned percent)
{
    return rng_below(r, 100) < percent;
}

#endif
