/* Timer wheel of six levels of 64 slots: 1 ms to about two years; later times wait in the last slot and are sorted in again. */
#include "base/wheel.h"

static uint64_t tick_of(ns_t at)
{
    return at <= 0 ? 0 : (uint64_t)(at + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS;
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

/* The level is the highest 6-bit digit in which the due tick differs from the current one. */
static void place(struct wheel *w, struct timer *t)
{
    uint64_t due = tick_of(t->at);
    if (due < w->tick)
        due = w->tick;
    uint64_t limit = w->tick + ((uint64_t)1 << (WHEEL_LEVELS * WHEEL_BITS)) - 1;
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

static void fire_slot(struct wheel *w, unsigned slot, ns_t now)
{
    struct list due;
    list_init(&due);
    list_splice(&due, &w->slots[0][slot]);
    w->used[0] &= ~((uint64_t)1 << slot);
    for (struct list *n; (n = list_pop(&due));) {
        struct timer *t = CONTAINER_OF(n, struct timer, node);
        t->at = NS_NEVER;
        w->armed--;
        t->fire(t, now);
    }
}

static void cascade(struct wheel *w, int level)
{
    unsigned slot = (unsigned)(w->tick >> (level * WHEEL_BITS)) & (WHEEL_SLOTS - 1);
    struct list moved;
    list_init(&moved);
    list_splice(&moved, &w->slots[level][slot]);
    w->used[level] &= ~((uint64_t)1 << slot);
    for (struct list *n; (n = list_pop(&moved));)
        place(w, CONTAINER_OF(n, struct timer, node));
}

/* Moves to the next tick, sorting in the slots of the upper levels whose time has come. */
static void step(struct wheel *w)
{
    w->tick++;
    for (int level = 1; level < WHEEL_LEVELS; level++) {
        if (w->tick & (((uint64_t)1 << (level * WHEEL_BITS)) - 1))
            break;
        cascade(w, level);
    }
}

/* The first tick >= w->tick at which something may be due or must be sorted in. */
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
        if (at < w->tick)
            at = w->tick;
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
        fire_slot(w, (unsigned)w->tick & (WHEEL_SLOTS - 1), now);
        if (w->tick == last)
            break;
        step(w);
    }
    if (w->armed == 0 && w->tick < last)
        w->tick = last;
}

ns_t wheel_next(const struct wheel *w)
{
    if (w->armed == 0)
        return NS_NEVER;
    uint64_t tick = next_tick(w);
    return tick >= (uint64_t)(NS_NEVER / WHEEL_TICK_NS) ? NS_NEVER : (ns_t)tick * WHEEL_TICK_NS;
}
