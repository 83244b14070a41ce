/* Memory pressure of the process: looks a few times a second how much is held of the bound `memory`, refuses new
 * streams when it is nearly all, and a little later connections, and resets what stalled streams hold. Control thread,
 * but for pressure_level. */
#ifndef APP_PRESSURE_H
#define APP_PRESSURE_H

#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct process;

#define PRESSURE_TICK_NS (250 * NS_PER_MS)

enum {
    PRESSURE_SHED_PERCENT = 92,
    PRESSURE_STOP_PERCENT = 95,
    PRESSURE_GROUP_PERCENT = 85,   /* of the cgroup's limit is ours to hold: at the limit itself the kernel kills */
    PRESSURE_STEP_BYTES = 1 << 20, /* a worker that holds so much more has it looked at */
    PRESSURE_TRIM_SHARE = 25       /* giving memory back takes at most one part of so many of the time, */
};
#define PRESSURE_TRIM_NS_PER_MIB (100000) /* and so long for each MiB */

/* NONE: all is taken. SHED: new streams are refused, and their connections get GOAWAY. STOP: nothing is accepted, and
 * the largest stalled streams are reset. */
enum pressure_level { PRESSURE_NONE, PRESSURE_SHED, PRESSURE_STOP };

/* Owned by: the process. */
struct pressure {
    atomic_int level;
    uint64_t limit;       /* of the process, bytes; 0: none */
    uint64_t group_limit; /* of all in its cgroup; 0: none */
    uint64_t last;        /* bytes at the last look */
    ns_t look_at;         /* NS_NEVER: no limit */
    ns_t trim_at;
};

void pressure_init(struct pressure *p);

/* A configuration is in force: its limit, 0 for what the cgroup allows. That of the cgroup holds beside it. */
void pressure_set_limit(struct process *process, int64_t limit);

/* Looks when it is time. */
void pressure_on_time(struct process *process, ns_t now);

/* A worker holds much more than when it was looked at last. Any thread. */
void pressure_hurry(struct process *process);

/* The level for so many of `limit` bytes. */
enum pressure_level pressure_level_of(uint64_t bytes, uint64_t limit);

static inline enum pressure_level pressure_level(const struct pressure *p)
{
    return (enum pressure_level)atomic_load_explicit(&p->level, memory_order_relaxed);
}

#endif
