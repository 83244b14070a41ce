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

enum { PRESSURE_SHED_PERCENT = 92, PRESSURE_STOP_PERCENT = 95 };

/* NONE: all is taken. SHED: new streams are refused, and their connections get GOAWAY. STOP: nothing is accepted, and
 * the largest stalled streams are reset. */
enum pressure_level { PRESSURE_NONE, PRESSURE_SHED, PRESSURE_STOP };

/* Owned by: the process. */
struct pressure {
    atomic_int level;
    uint64_t limit; /* bytes; 0: none */
    ns_t look_at;   /* NS_NEVER: no limit */
    ns_t trim_at;
};

void pressure_init(struct pressure *p);

/* A configuration is in force: its limit, 0 for what the cgroup allows. */
void pressure_set_limit(struct process *process, int64_t limit);

/* Looks when it is time. */
void pressure_on_time(struct process *process, ns_t now);

/* The level for so many of `limit` bytes. */
enum pressure_level pressure_level_of(uint64_t bytes, uint64_t limit);

static inline enum pressure_level pressure_level(const struct pressure *p)
{
    return (enum pressure_level)atomic_load_explicit(&p->level, memory_order_relaxed);
}

#endif
