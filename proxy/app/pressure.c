/* Compares what the process holds with its limit. What the allocator and the slabs keep for later is not counted: it is
 * given back, or used again, before anything new is asked of the kernel. */
#include "app/pressure.h"

#include "app/bound.h"
#include "app/worker.h"
#include "base/log.h"
#include "net/footprint.h"

void pressure_init(struct pressure *p)
{
    atomic_init(&p->level, PRESSURE_NONE);
    p->limit = 0;
    p->look_at = NS_NEVER;
    p->trim_at = 0;
}

enum pressure_level pressure_level_of(uint64_t bytes, uint64_t limit)
{
    if (limit == 0 || bytes < limit / 100 * PRESSURE_SHED_PERCENT)
        return PRESSURE_NONE;
    return bytes < limit / 100 * PRESSURE_STOP_PERCENT ? PRESSURE_SHED : PRESSURE_STOP;
}

static uint64_t held(const struct process *p)
{
    uint64_t bytes = footprint_bytes(), spare = 0;
    for (uint32_t i = 0; i < p->workers_n; i++)
        spare += atomic_load_explicit(&p->workers[i]->spare_bytes, memory_order_relaxed);
    return bytes > spare ? bytes - spare : 0;
}

/* Free memory of the allocator counts only once it cannot be given back. */
static uint64_t held_after_trim(struct process *p, ns_t now)
{
    uint64_t bytes = held(p);
    if (pressure_level_of(bytes, p->pressure.limit) == PRESSURE_NONE || now < p->pressure.trim_at)
        return bytes;
    p->pressure.trim_at = ns_add(now, NS_PER_S);
    footprint_trim();
    return held(p);
}

static void enter(struct process *p, enum pressure_level level, uint64_t bytes)
{
    static const char *const names[] = {"none", "refusing streams", "refusing connections"};
    enum pressure_level before = pressure_level(&p->pressure);
    if (level == before)
        return;
    atomic_store_explicit(&p->pressure.level, level, memory_order_relaxed);
    if (level > before)
        counter_add(&p->stats.bounds[BOUND_DOWNSTREAM][BOUND_MEMORY], 1);
    if ((level == PRESSURE_STOP) != (before == PRESSURE_STOP))
        bound_pause_all(p, level == PRESSURE_STOP || p->patient);
    log_line(LOG_WARN, "memory", LOG_TEXT("now", names[level]), LOG_NUMBER("bytes", (int64_t)bytes),
             LOG_NUMBER("limit", (int64_t)p->pressure.limit));
}

/* Each worker frees its share of what is too much. */
static void reset_stalled(struct process *p, uint64_t bytes)
{
    uint64_t too_much = bytes - p->pressure.limit / 100 * PRESSURE_SHED_PERCENT;
    for (uint32_t i = 0; i < p->workers_n; i++)
        process_post_shed(p->workers[i], too_much / p->workers_n + 1);
}

void pressure_on_time(struct process *p, ns_t now)
{
    if (now < p->pressure.look_at)
        return;
    uint64_t bytes = held_after_trim(p, now);
    enum pressure_level level = pressure_level_of(bytes, p->pressure.limit);
    p->pressure.look_at = ns_add(now, PRESSURE_TICK_NS);
    enter(p, level, bytes);
    if (level == PRESSURE_STOP)
        reset_stalled(p, bytes);
}

void pressure_set_limit(struct process *p, int64_t limit)
{
    p->pressure.limit = limit > 0 ? (uint64_t)limit : footprint_limit();
    p->pressure.look_at = p->pressure.limit > 0 ? loop_now(p->loop) : NS_NEVER;
    if (p->pressure.limit == 0)
        enter(p, PRESSURE_NONE, 0);
    process_arm(p);
}
