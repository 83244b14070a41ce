/* Reads the two system clocks. */
#include "base/clock.h"

#include <time.h>

static ns_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (ns_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

ns_t clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

ns_t clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}
