/* Timer wheel of six levels of 64 slots: 1 ms to about two years; later times wait in the last slot and are sorted in
 * again. */
#include "base/wheel.h"

#include <string.h>

enum { TOP_SHIFT = (WHEEL_LEVELS - 1) * WHEEL_BITS };

static uint64_t tick_of(ns_t at)
{
    return at <= 0 ? 0 : (uint64_t)(at / WHEEL_TICK_NS + (at % WHEEL_TICK_NS != 0));
}

void wheel_init(struct wheel *w, ns_t now)
{
    for (int l = 0; l < WHEEL_LEVELS; l++) {
        w->used[l] = 0;
        for (int s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slots[l][s]);
    }
    w->tick = (uint64_t)now / WHEEL_TICK_NS;
    w->armed = 0;
}

void timer_init(struct timer *t, void (*fire)(struct timer *t, ns_t now))
{
    list_init(&t->node);
    t->at = NS_NEVER;
    t->fire = fire;
}

/* The level is the highest 6-bit digit in which the due tick differs from the current one. No timer may land in the
 * slot of the top level that holds the current tick: it would be looked at again and again until the wheel has turned.
 */
static void place(struct wheel *w, struct timer *t)
{
    uint64_t due = tick_of(t->at);
    if (due < w->tick)
        due = w->tick;
    uint64_t limit = ((w->tick >> TOP_SHIFT) + WHEEL_SLOTS - 1) << TOP_SHIFT;
    if (due > limit)
        due = limit;
    uint64_t differ = due ^ w->tick;
    int level = differ ? (63 - __builtin_clzll(differ)) / WHEEL_BITS : 0;
    if (level >= WHEEL_LEVELS)
        level = WHEEL_LEVELS - 1;
    unsigned slot = (unsigned)(due >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    list_push_back(&w->slots[level][slot], &t->node);
    w->used[level] |= (uint64_t)1 << slot;
}

void wheel_set(struct wheel *w, struct timer *t, ns_t at)
{
    if (timer_is_armed(t)) {
        list_remove(&t->node);
        w->armed--;
    }
    t->at = at;
    if (at == NS_NEVER)
        return;
    w->armed++;
    place(w, t);
}

void wheel_clear(struct wheel *w, struct timer *t)
{
    wheel_set(w, t, NS_NEVER);
}

/* Moves the timers of the slot that holds the current tick to `to`. */
static void take_slot(struct wheel *w, int level, struct list *to)
{
    unsigned slot = (unsigned)(w->tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    list_splice(to, &w->slots[level][slot]);
    w->used[level] &= ~((uint64_t)1 << slot);
}

static void fire_tick(struct wheel *w, ns_t now)
{
    struct list due;
    list_init(&due);
    take_slot(w, 0, &due);
    for (struct list *n; (n = list_pop(&due));) {
        struct timer *t = CONTAINER_OF(n, struct timer, node);
        t->at = NS_NEVER;
        w->armed--;
        t->fire(t, now);
    }
}

/* Moves to the next tick, sorting in what was armed for the tick that ends while it was being fired, and the slots of
 * the upper levels whose time has come. */
static void step(struct wheel *w)
{
    struct list moved;
    list_init(&moved);
    take_slot(w, 0, &moved);
    w->tick++;
    for (int level = 1; level < WHEEL_LEVELS; level++) {
        if (w->tick & (((uint64_t)1 << (level * WHEEL_BITS)) - 1))
            break;
        take_slot(w, level, &moved);
    }
    for (struct list *n; (n = list_pop(&moved));)
        place(w, CONTAINER_OF(n, struct timer, node));
}

/* The first tick >= w->tick at which something may be due or must be sorted in. Above level 0 the slot of the current
 * tick is empty: it was sorted in when the tick came to it. */
static uint64_t next_tick(const struct wheel *w)
{
    uint64_t best = UINT64_MAX;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t used = w->used[level];
        if (!used)
            continue;
        int shift = level * WHEEL_BITS;
        unsigned here = (unsigned)(w->tick >> shift) & (WHEEL_SLOTS - 1);
        uint64_t ahead = used >> here << here;
        uint64_t base = w->tick >> shift >> WHEEL_BITS << WHEEL_BITS;
        uint64_t digit = ahead ? (uint64_t)__builtin_ctzll(ahead) : WHEEL_SLOTS + (uint64_t)__builtin_ctzll(used);
        uint64_t at = (base + digit) << shift;
        if (at < best)
            best = at;
    }
    return best;
}

void wheel_advance(struct wheel *w, ns_t now)
{
    uint64_t last = now <= 0 ? 0 : (uint64_t)now / WHEEL_TICK_NS;
    while (w->armed > 0) {
        uint64_t due = next_tick(w);
        if (due > last)
            break;
        if (due > w->tick) {
            w->tick = due - 1;
            step(w);
        }
        fire_tick(w, now);
        if (w->tick == last)
            return;
        step(w);
    }
    if (w->armed == 0)
        memset(w->used, 0, sizeof w->used); /* slots whose timers were disarmed must not wake anybody */
    if (w->tick < last)
        w->tick = last; /* no slot in between holds a timer */
}

ns_t wheel_next(const struct wheel *w)
{
    if (w->armed == 0)
        return NS_NEVER;
    uint64_t tick = next_tick(w);
    return tick >= (uint64_t)(NS_NEVER / WHEEL_TICK_NS) ? NS_NEVER : (ns_t)tick * WHEEL_TICK_NS;
}
