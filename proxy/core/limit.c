/* Bounded counting: compare and swap, so that no worker ever sees a count past its maximum. */
#include "core/limit.h"

static bool take(atomic_uint *count, uint32_t max)
{
    unsigned v = atomic_load_explicit(count, memory_order_relaxed);
    do {
        if (v >= max)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(count, &v, v + 1, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void give(atomic_uint *count)
{
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
}

void limit_init(struct limit *l)
{
    atomic_init(&l->active, 0);
    atomic_init(&l->pending, 0);
}

bool limit_enter(struct limit *l, const struct limits_policy *p)
{
    return take(&l->active, p->max_requests);
}

void limit_leave(struct limit *l)
{
    give(&l->active);
}

bool limit_wait(struct limit *l, const struct limits_policy *p)
{
    return take(&l->pending, p->max_pending);
}

void limit_unwait(struct limit *l)
{
    give(&l->pending);
}
