/* The timer wheel against a naive model, and the corners in which wheels are wrong. */
#include "base/wheel.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { TIMERS = 64, STEPS = 4000, SEEDS = 50 };

struct probe {
    struct timer timer;
    ns_t want; /* the model: NS_NEVER while not armed */
    ns_t fired_at;
    int fired;
};

static void note(struct timer *t, ns_t now)
{
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    p->fired++;
    p->fired_at = now;
}

static void probe_init(struct probe *p)
{
    timer_init(&p->timer, note);
    p->want = p->fired_at = NS_NEVER;
    p->fired = 0;
}

/* Times from the past to 300 years, dense near now. */
static ns_t random_time(struct rng *r, ns_t now)
{
    ns_t span = (ns_t)1 << rng_below(r, 62);
    ns_t at = ns_add(now, (ns_t)rng_below(r, (uint64_t)span));
    return rng_below(r, 8) == 0 ? now - ns_min(now, span) : at;
}

static ns_t random_step(struct rng *r)
{
    return (ns_t)rng_below(r, (uint64_t)1 << rng_below(r, 45));
}

static void check_model(struct wheel *w, struct probe *probes, ns_t now)
{
    size_t armed = 0;
    for (int i = 0; i < TIMERS; i++) {
        struct probe *p = &probes[i];
        ns_t due_tick = p->want / WHEEL_TICK_NS + (p->want % WHEEL_TICK_NS != 0);
        bool due = p->want != NS_NEVER && due_tick <= now / WHEEL_TICK_NS;
        assert_int_equal(p->fired, due);
        assert_int_equal(timer_is_armed(&p->timer), p->want != NS_NEVER && !due);
        if (due) {
            assert_true(p->fired_at == now);
            p->want = NS_NEVER;
            p->fired = 0;
        }
        armed += p->want != NS_NEVER;
    }
    assert_int_equal(w->armed, armed);
}

static void check_next(const struct wheel *w, const struct probe *probes, ns_t now)
{
    ns_t first = NS_NEVER;
    for (int i = 0; i < TIMERS; i++)
        first = ns_min(first, probes[i].want);
    ns_t next = wheel_next(w);
    if (first == NS_NEVER)
        assert_true(next == NS_NEVER);
    else
        assert_true(next < ns_add(first > now ? first : now, WHEEL_TICK_NS));
}

static void run_seed(uint64_t seed)
{
    struct rng r;
    struct wheel w;
    struct probe probes[TIMERS];
    rng_init(&r, seed);
    ns_t now = (ns_t)rng_below(&r, (uint64_t)1 << 55);
    wheel_init(&w, now);
    for (int i = 0; i < TIMERS; i++)
        probe_init(&probes[i]);
    for (int s = 0; s < STEPS && now < NS_NEVER / 4; s++) {
        struct probe *p = &probes[rng_below(&r, TIMERS)];
        if (rng_below(&r, 3) == 0)
            wheel_clear(&w, &p->timer);
        else
            wheel_set(&w, &p->timer, random_time(&r, now));
        p->want = p->timer.at;
        check_next(&w, probes, now);
        now += rng_below(&r, 4) == 0 ? random_step(&r) : (ns_t)rng_below(&r, 3 * NS_PER_MS);
        wheel_advance(&w, now);
        check_model(&w, probes, now);
    }
}

static void test_against_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run_seed(seed);
}

static void test_never_early_at_most_one_tick_late(void **state)
{
    (void)state;
    static const struct {
        ns_t at, before, after;
    } rows[] = {
        {1, 0, NS_PER_MS},
        {NS_PER_MS, NS_PER_MS - 1, NS_PER_MS},
        {NS_PER_MS + 1, NS_PER_MS + 1, 2 * NS_PER_MS},
        {64 * NS_PER_MS, 64 * NS_PER_MS - 1, 64 * NS_PER_MS},
        {65 * NS_PER_MS - 1, 65 * NS_PER_MS - 2, 65 * NS_PER_MS},
        {4096 * NS_PER_MS, 4096 * NS_PER_MS - 1, 4096 * NS_PER_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wheel w;
        struct probe p;
        wheel_init(&w, 0);
        probe_init(&p);
        wheel_set(&w, &p.timer, rows[i].at);
        wheel_advance(&w, rows[i].before);
        assert_int_equal(p.fired, 0);
        wheel_advance(&w, rows[i].after);
        assert_int_equal(p.fired, 1);
    }
}

/* How often an owner that sleeps until wheel_next wakes up before `until`. */
static int count_wakes(struct wheel *w, ns_t now, ns_t until)
{
    int wakes = 0;
    for (ns_t next; (next = wheel_next(w)) <= until; wakes++) {
        assert_true(wakes < 1000);
        now = next > now ? next : now;
        wheel_advance(w, now);
    }
    return wakes;
}

/* A caller may ask for a timeout of 190 years; it must not turn the loop. */
static void test_far_timer_does_not_spin(void **state)
{
    (void)state;
    static const ns_t ats[] = {
        (ns_t)99999999 * 60 * NS_PER_S,
        NS_NEVER - 1,
        ((ns_t)1 << 36) * NS_PER_MS,
        (((ns_t)1 << 36) - 1) * NS_PER_MS,
    };
    ns_t now = 123456789 * NS_PER_MS + 7;
    for (size_t i = 0; i < sizeof ats / sizeof ats[0]; i++) {
        struct wheel w;
        struct probe p;
        wheel_init(&w, now);
        probe_init(&p);
        wheel_set(&w, &p.timer, ats[i]);
        assert_true(count_wakes(&w, now, now + 3600 * NS_PER_S) <= 6);
        assert_int_equal(p.fired, 0);
        assert_true(timer_is_armed(&p.timer));
    }
}

/* Slots that held only disarmed timers wake nobody once the wheel has turned into them. */
static void test_disarmed_slots_do_not_spin(void **state)
{
    (void)state;
    struct wheel w;
    struct probe a, b;
    wheel_init(&w, 0);
    probe_init(&a);
    probe_init(&b);
    wheel_set(&w, &a.timer, 5 * NS_PER_S);
    wheel_clear(&w, &a.timer);
    ns_t now = 5 * NS_PER_S + 3 * NS_PER_MS;
    wheel_advance(&w, now);
    wheel_set(&w, &b.timer, now + 300 * NS_PER_S);
    assert_true(count_wakes(&w, now, now + 299 * NS_PER_S) <= 6);
    wheel_advance(&w, now + 301 * NS_PER_S);
    assert_int_equal(b.fired, 1);
}

struct again {
    struct timer timer;
    struct wheel *wheel;
    ns_t next;
    int fired;
};

static void arm_again(struct timer *t, ns_t now)
{
    struct again *a = CONTAINER_OF(t, struct again, timer);
    (void)now;
    if (a->fired++ == 0)
        wheel_set(a->wheel, t, a->next);
}

/* A timer that a firing timer arms for a tick already passed fires within the same or the next advance. */
static void test_arming_the_past_while_firing(void **state)
{
    (void)state;
    struct wheel w;
    struct again a = {.wheel = &w, .next = 2 * NS_PER_MS};
    wheel_init(&w, 0);
    timer_init(&a.timer, arm_again);
    wheel_set(&w, &a.timer, 5 * NS_PER_MS);
    wheel_advance(&w, 20 * NS_PER_MS);
    wheel_advance(&w, 20 * NS_PER_MS);
    assert_int_equal(a.fired, 2);
    a = (struct again){.wheel = &w, .next = 0};
    timer_init(&a.timer, arm_again);
    wheel_set(&w, &a.timer, 20 * NS_PER_MS);
    wheel_advance(&w, 20 * NS_PER_MS);
    assert_int_equal(a.fired, 1);
    wheel_advance(&w, 20 * NS_PER_MS);
    assert_int_equal(a.fired, 2);
}

struct killer {
    struct timer timer;
    struct wheel *wheel;
    struct probe *victim;
};

static void kill_victim(struct timer *t, ns_t now)
{
    struct killer *k = CONTAINER_OF(t, struct killer, timer);
    (void)now;
    wheel_clear(k->wheel, &k->victim->timer);
}

static void test_clearing_a_due_timer_while_firing(void **state)
{
    (void)state;
    struct wheel w;
    struct probe victim;
    struct killer k = {.wheel = &w, .victim = &victim};
    wheel_init(&w, 0);
    probe_init(&victim);
    timer_init(&k.timer, kill_victim);
    wheel_set(&w, &k.timer, NS_PER_MS);
    wheel_set(&w, &victim.timer, NS_PER_MS);
    wheel_advance(&w, NS_PER_S);
    assert_int_equal(victim.fired, 0);
    assert_int_equal(w.armed, 0);
    assert_true(wheel_next(&w) == NS_NEVER);
}

static void test_moving_and_clearing(void **state)
{
    (void)state;
    struct wheel w;
    struct probe p;
    wheel_init(&w, 0);
    probe_init(&p);
    wheel_clear(&w, &p.timer);
    wheel_set(&w, &p.timer, NS_PER_MS);
    wheel_set(&w, &p.timer, NS_PER_S);
    assert_int_equal(w.armed, 1);
    wheel_advance(&w, NS_PER_S - 1);
    assert_int_equal(p.fired, 0);
    wheel_set(&w, &p.timer, NS_NEVER);
    wheel_advance(&w, 2 * NS_PER_S);
    assert_int_equal(p.fired, 0);
    wheel_set(&w, &p.timer, 0);
    wheel_advance(&w, 2 * NS_PER_S);
    assert_int_equal(p.fired, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_never_early_at_most_one_tick_late),
        cmocka_unit_test(test_far_timer_does_not_spin),
        cmocka_unit_test(test_disarmed_slots_do_not_spin),
        cmocka_unit_test(test_arming_the_past_while_firing),
        cmocka_unit_test(test_clearing_a_due_timer_while_firing),
        cmocka_unit_test(test_moving_and_clearing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
