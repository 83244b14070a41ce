/* Hierarchical timer wheel: ticks of 1 ms, O(1) insert and remove, intrusive. It reads no clock: the owner advances it.
 * A timer never fires early; it fires at most one tick after its time once the owner advances that far. */
#ifndef BASE_WHEEL_H
#define BASE_WHEEL_H

#include "base/clock.h"
#include "base/list.h"

#define WHEEL_TICK_NS NS_PER_MS

enum { WHEEL_LEVELS = 6, WHEEL_BITS = 6, WHEEL_SLOTS = 1 << WHEEL_BITS };

struct timer {
    struct list node;
    ns_t at; /* NS_NEVER while not armed */
    void (*fire)(struct timer *t, ns_t now);
};

struct wheel {
    struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
    uint64_t used[WHEEL_LEVELS]; /* a bit a slot that may hold timers */
    uint64_t tick;               /* all ticks before this one have been fired */
    size_t armed;
};

/* Borrows nothing; timers are the owners' and must be disarmed before they are freed. */
void wheel_init(struct wheel *w, ns_t now);

/* A timer that is not armed. */
void timer_init(struct timer *t, void (*fire)(struct timer *t, ns_t now));

static inline int timer_is_armed(const struct timer *t)
{
    return t->at != NS_NEVER;
}

/* Arms or moves the timer; NS_NEVER disarms. A time in the past fires at the next advance, or still in the running one
 * when a firing timer arms it. */
void wheel_set(struct wheel *w, struct timer *t, ns_t at);

/* Disarms; harmless when not armed. */
void wheel_clear(struct wheel *w, struct timer *t);

/* Fires every timer whose time is <= now. A fired timer is disarmed first and may be armed again or freed by `fire`. */
void wheel_advance(struct wheel *w, ns_t now);

/* A time at which wheel_advance may have work, never later than the first timer's tick; NS_NEVER when none is armed. */
ns_t wheel_next(const struct wheel *w);

#endif
