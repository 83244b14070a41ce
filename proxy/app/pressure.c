/* Compares what the process holds with its limit, and what its cgroup holds with the cgroup's. What the allocator and
 * the slabs keep for later is not counted for the process: it is given back, or used again, before anything new is
 * asked of the kernel. */
#include "app/pressure.h"

#include "app/bound.h"
#include "app/worker.h"
#include "base/log.h"
#include "base/must.h"
#include "net/footprint.h"

/* What is held of one of the two limits. */
struct reading {
    uint64_t bytes, limit;
    enum pressure_level level;
};

void pressure_init(struct pressure *p)
{
    *p = (struct pressure){.look_at = NS_NEVER};
    atomic_init(&p->level, PRESSURE_NONE);
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

static struct reading reading_of(uint64_t bytes, uint64_t limit)
{
    return (struct reading){bytes, limit, pressure_level_of(bytes, limit)};
}

/* The one that is nearer to its limit. The spare objects of workers are in memory all the same, and so they count for
 * the cgroup. */
static struct reading look(const struct process *p)
{
    struct reading own = reading_of(held(p), p->pressure.limit);
    struct reading group = {0};
    if (p->pressure.group_limit > 0)
        group = reading_of(footprint_group_bytes(), p->pressure.group_limit);
    return group.level > own.level ? group : own;
}

/* Free memory of the allocator counts only once it cannot be given back. *ret_sure: it has just been. */
static struct reading look_after_trim(struct process *p, ns_t now, bool *ret_sure)
{
    struct reading r = look(p);
    *ret_sure = r.level != PRESSURE_NONE && now >= p->pressure.trim_at;
    if (!*ret_sure)
        return r;
    ns_t takes = (ns_t)(r.bytes >> 20) * PRESSURE_TRIM_NS_PER_MIB;
    p->pressure.trim_at = ns_add(now, PRESSURE_TRIM_SHARE * takes);
    footprint_trim();
    return look(p);
}

static void enter(struct process *p, struct reading r)
{
    static const char *const names[] = {"none", "refusing streams", "refusing connections"};
    enum pressure_level before = pressure_level(&p->pressure);
    if (r.level == before)
        return;
    atomic_store_explicit(&p->pressure.level, r.level, memory_order_relaxed);
    if (r.level > before)
        counter_add(&p->stats.bounds[BOUND_DOWNSTREAM][BOUND_MEMORY], 1);
    if ((r.level == PRESSURE_STOP) != (before == PRESSURE_STOP))
        bound_pause_all(p, r.level == PRESSURE_STOP || p->patient);
    log_line(LOG_WARN, "memory", LOG_TEXT("now", names[r.level]), LOG_NUMBER("bytes", (int64_t)r.bytes),
             LOG_NUMBER("limit", (int64_t)r.limit));
}

/* Each worker frees its share of what is too much. */
static void shed(struct process *p, struct reading r)
{
    uint64_t too_much = r.bytes - r.limit / 100 * PRESSURE_SHED_PERCENT;
    for (uint32_t i = 0; i < p->workers_n; i++)
        process_post_shed(p->workers[i], too_much / p->workers_n + 1);
}

/* What was shed and is not given back yet must not be shed twice: only when the reading is sure, or grows. */
void pressure_on_time(struct process *p, ns_t now)
{
    bool sure;
    if (now < p->pressure.look_at)
        return;
    struct reading r = look_after_trim(p, now, &sure);
    p->pressure.look_at = ns_add(now, PRESSURE_TICK_NS);
    enter(p, r);
    if (r.level == PRESSURE_STOP && (sure || r.bytes > p->pressure.last))
        shed(p, r);
    p->pressure.last = r.bytes;
}

static void run_hurry(void *ctx)
{
    struct process *p = ctx;
    if (p->pressure.look_at == NS_NEVER)
        return;
    p->pressure.look_at = loop_now(p->loop);
    pressure_on_time(p, p->pressure.look_at);
}

void pressure_hurry(struct process *p)
{
    must_do(loop_post(p->loop, run_hurry, p));
}

void pressure_set_limit(struct process *p, int64_t limit)
{
    bool counted = footprint_group_bytes() > 0;
    uint64_t group = footprint_limit() / 100 * PRESSURE_GROUP_PERCENT;
    p->pressure.group_limit = counted ? group : 0;
    p->pressure.limit = limit > 0 ? (uint64_t)limit : counted ? 0 : footprint_limit();
    bool any = p->pressure.limit > 0 || p->pressure.group_limit > 0;
    p->pressure.look_at = any ? loop_now(p->loop) : NS_NEVER;
    if (!any)
        enter(p, (struct reading){0});
    process_arm(p);
}
